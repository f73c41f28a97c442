/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "reads no attribute \"Company Name\"",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.mappings = {'Company Name': 'company', 'emailAddress': 'email'};
  callback(null, user, context);
}
