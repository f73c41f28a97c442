/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "Role is undefined",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': undefined};
  callback(null, user, context);
}
