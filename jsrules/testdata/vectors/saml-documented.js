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
  "Role": "arn:aws:iam::123456789012:role/TestSAML",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "Alice"
 },
 "SAML": "aws"
}*/
function (user, context, callback) {

  user.awsRole = 'arn:aws:iam::123456789012:role/TestSAML,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  user.awsRoleSession = user.name;

  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession'
  };

  callback(null, user, context);

}
