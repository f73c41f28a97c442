/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": ": mappings is meant",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.mapping = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  callback(null, user, context);
}
