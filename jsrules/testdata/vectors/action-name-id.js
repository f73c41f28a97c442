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
   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": "samlResponse:http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
  },
  "nameIDFromMapping": true
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "NameID": "alice@corp",
  "Recipient": "https://signin.aws.amazon.com/saml",
  "Audience": "https://signin.aws.amazon.com/saml",
  "Duration": 3600
 },
 "Action": true,
 "Claims": {
  "upn": "alice@corp"
 }
}*/
exports.onExecutePostLogin = async (event, api) => {
  api.samlResponse.setAttribute('http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier', event.user.upn);
  api.samlResponse.setNameIdentifierProbes(['http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier']);
  api.samlResponse.setLifetimeInSeconds(36000);
  api.samlResponse.setRecipient('https://signin.aws.amazon.com/saml');
  api.samlResponse.setAudience('https://signin.aws.amazon.com/saml');
};
