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
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "awsRoleSession",
   "https://aws.amazon.com/SAML/Attributes/SessionDuration": "43200"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/r",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Duration": 3600,
  "Warning": "to \"43200\", which the user has no value for"
 },
 "SAML": "aws"
}*/
// A number in place of a property: at Auth0 the attribute was left out, and AWS gave an hour.
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  user.awsRoleSession = user.email;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession',
    'https://aws.amazon.com/SAML/Attributes/SessionDuration': '43200'
  };
  return callback(null, user, context);
}
