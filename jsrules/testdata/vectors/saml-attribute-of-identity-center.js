/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "IAM Identity Center",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/AccessControl:team': 'team'};
  callback(null, user, context);
}
