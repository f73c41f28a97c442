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
   "https://aws.amazon.com/SAML/Attributes/Role": "https://example.com/aws_role",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "https://example.com/login"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/claimed",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "alice-login"
 },
 "Claims": {
  "https://example.com/aws_role": "arn:aws:iam::123456789012:role/claimed,arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "https://example.com/login": "alice-login"
 },
 "SAML": "aws"
}*/
// Both sides look like SAML attributes. AWS reads one of them.
function (user, context, callback) {
  context.samlConfiguration.mappings = {
    'https://example.com/aws_role': 'https://aws.amazon.com/SAML/Attributes/Role',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'https://example.com/login'
  };
  callback(null, user, context);
}
