/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "signatureAlgorithm is not rsa-sha256",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.signatureAlgorithm = 'rsa-sha1';
  callback(null, user, context);
}
