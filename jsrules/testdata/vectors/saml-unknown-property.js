/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "has a property \"relayState\", which has no meaning here",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.relayState = 'https://console.aws.amazon.com/';
  callback(null, user, context);
}
