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
  "Code": "mapping_invalid",
  "Text": "of the 0 values"
 },
 "SAML": "aws"
}*/
// A user in no team has no role: AWS would refuse the response, and so does the exchange.
function (user, context, callback) {
  user.awsRole = [].filter(function (team) { return team.allowed; });
  user.awsRoleSession = user.nickname;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession'
  };
  callback(null, user, context);
}
