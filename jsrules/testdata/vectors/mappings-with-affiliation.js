/*{
 "Claims": {
  "groups": [
   "Press",
   "STAFF"
  ]
 },
 "Outcome": "passed",
 "AWS": {
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsrole",
   "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": "affiliation"
  }
 },
 "User": {
  "affiliation": [
   "press",
   "staff"
  ],
  "groups": [
   "Press",
   "STAFF"
  ]
 }
}*/
function (user, context, callback) {
  user.affiliation = (user.groups || []).map(function (g) { return g.toLowerCase(); });
  context.addonConfiguration.aws.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsrole',
    'urn:oid:1.3.6.1.4.1.5923.1.1.1.1': 'affiliation'
  };
  callback(null, user, context);
}
