/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "nameIdentifierFormat is not urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.nameIdentifierFormat = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
  callback(null, user, context);
}
