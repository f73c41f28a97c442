/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/operator",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "awsRoleSession"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/operator",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "ali"
 },
 "Claims": {
  "groups": [
   "ops"
  ],
  "nickname": "ali"
 },
 "Context": {
  "clientMetadata": {
   "aws_account_number": "123456789012"
  }
 },
 "SAML": "aws"
}*/
// One rule for both add-ons, which agree.
function (user, context, callback) {
  var role = '';
  var mapping = [{group: 'dev', role: 'developer'}, {group: 'ops', role: 'operator'}];
  for (var i = 0; i < mapping.length && !role; i++) {
    if (user.groups.indexOf(mapping[i].group) >= 0) role = 'arn:aws:iam::' + context.clientMetadata.aws_account_number + ':role/' + mapping[i].role;
  }
  if (!role) return callback('No role could be assigned.', user, context);
  var provider = 'arn:aws:iam::' + context.clientMetadata.aws_account_number + ':saml-provider/auth0-provider';
  user.awsRole = role + ',' + provider;
  user.awsRoleSession = user.nickname;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession'
  };
  if (context.protocol == 'delegation') {
    context.addonConfiguration = context.addonConfiguration || {};
    context.addonConfiguration.aws = context.addonConfiguration.aws || {};
    context.addonConfiguration.aws.principal = provider;
    context.addonConfiguration.aws.role = role;
  }
  callback(null, user, context);
}
