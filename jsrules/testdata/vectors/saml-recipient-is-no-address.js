/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "destination is not an address of AWS",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.destination = 'https://signin.aws.amazon.com.example.com/saml';
  callback(null, user, context);
}
