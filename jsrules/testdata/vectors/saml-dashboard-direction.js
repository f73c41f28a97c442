/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "email",
   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": "email"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/r",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "alice@example.com",
  "Recipient": "https://signin.aws.amazon.com/saml",
  "Audience": "urn:amazon:webservices",
  "NameID": "auth0|1234",
  "Duration": 3600
 },
 "Claims": {
  "sub": "auth0|1234"
 },
 "SAML": "aws"
}*/
// The settings of the add-on map properties to attributes. One property can have several.
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  context.samlConfiguration = {
    "audience": "urn:amazon:webservices",
    "recipient": "https://signin.aws.amazon.com/saml",
    "destination": "https://signin.aws.amazon.com/saml",
    "mappings": {
      "awsRole": "https://aws.amazon.com/SAML/Attributes/Role",
      "email": ["https://aws.amazon.com/SAML/Attributes/RoleSessionName", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"],
      "user_id": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
    },
    "createUpnClaim": false,
    "passthroughClaimsWithNoMapping": false,
    "mapUnknownClaimsAsIs": false,
    "mapIdentities": false,
    "signatureAlgorithm": "rsa-sha256",
    "digestAlgorithm": "sha256",
    "signResponse": false,
    "typedAttributes": true,
    "includeAttributeNameFormat": true,
    "authnContextClassRef": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
    "lifetimeInSeconds": 36000,
    "nameIdentifierFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "nameIdentifierProbes": ["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"]
  };
  callback(null, user, context);
}
