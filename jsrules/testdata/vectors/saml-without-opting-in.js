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
  "region": "eu-central-1"
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Warning": "has no effect: it is for Auth0's SAML add-on"
 }
}*/
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/admin,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  context.samlConfiguration.relayState = 'anything';
  callback(null, user, context);
}
