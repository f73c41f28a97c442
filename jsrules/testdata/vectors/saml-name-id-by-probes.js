/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1",
  "NameIDFromMapping": true
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": "email",
   "urn:oid:2.5.4.3": "common_name"
  },
  "nameIDFromMapping": true
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "NameID": "alice@example.com",
  "Warning": "to \"common_name\", which the user has no value for"
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
