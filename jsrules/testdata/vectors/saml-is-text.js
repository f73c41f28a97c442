/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "samlConfiguration is a string, not an object",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration = 'aws';
  callback(null, user, context);
}
