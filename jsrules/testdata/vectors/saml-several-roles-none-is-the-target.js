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
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole"
  }
 },
 "Decided": {
  "Code": "mapping_invalid",
  "Text": "none is AWS.Role"
 },
 "SAML": "aws"
}*/
function (user, context, callback) {
  user.awsRole = [
    'arn:aws:iam::123456789012:role/admin,arn:aws:iam::123456789012:saml-provider/auth0-provider',
    'arn:aws:iam::123456789012:role/reader,arn:aws:iam::123456789012:saml-provider/auth0-provider'
  ];
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  callback(null, user, context);
}
