/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "context.samlConfiguration.audience is undefined",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.audience = configuration.AUDIENCE;
  callback(null, user, context);
}
