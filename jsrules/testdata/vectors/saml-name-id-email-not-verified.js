/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1",
  "NameIDFromMapping": true
 },
 "Outcome": "failed",
 "Text": "not verified",
 "Claims": {
  "email_verified": false
 },
 "SAML": "aws"
}*/
function (user, context, callback) {
  context.samlConfiguration.nameIdentifierProbes = [
    'urn:oid:2.5.4.3',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name'
  ];
  context.samlConfiguration.mappings = {'urn:oid:2.5.4.3': 'common_name'};
  callback(null, user, context);
}
