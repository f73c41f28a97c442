/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "lifetimeInSeconds is not a whole number of seconds",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.lifetimeInSeconds = '36000';
  callback(null, user, context);
}
