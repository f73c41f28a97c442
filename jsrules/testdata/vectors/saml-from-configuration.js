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
  "Role": "arn:aws:iam::123456789012:role/dev_ali",
  "Principal": "arn:aws:iam::123456789012:saml-provider/dev-auth0",
  "SessionName": "ali"
 },
 "Configuration": {
  "AWS_ACCOUNT_ID": "123456789012",
  "ENV": "dev"
 },
 "Claims": {
  "nickname": "ali"
 },
 "SAML": "aws"
}*/
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::' + configuration.AWS_ACCOUNT_ID + ':role/' + configuration.ENV + '_' + user.nickname +
    ',arn:aws:iam::' + configuration.AWS_ACCOUNT_ID + ':saml-provider/' + configuration.ENV + '-auth0';
  user.awsRoleSession = user.nickname;

  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession'
  };

  callback(null, user, context);
}
