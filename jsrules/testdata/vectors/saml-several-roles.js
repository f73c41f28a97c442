/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "awsRoleSession"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "alice@example.com"
 },
 "SAML": "aws"
}*/
// The target's role decides which of them.
function (user, context, callback) {
  var provider = 'arn:aws:iam::123456789012:saml-provider/auth0-provider';
  user.awsRole = ['admin', 'target', 'reader'].map(function (name) {
    return 'arn:aws:iam::123456789012:role/' + name + ',' + provider;
  });
  user.awsRoleSession = user.email;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession'
  };
  callback(null, user, context);
}
