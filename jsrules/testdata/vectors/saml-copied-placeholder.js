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
   "https://aws.amazon.com/SAML/Attributes/Role": "YOUR-AWS-ROLE-NAME",
   "https://aws.amazon.com/SAML/Attributes/SessionDuration": "time"
  }
 },
 "Decided": {
  "Code": "mapping_invalid",
  "Text": "YOUR-AWS-ROLE-NAME"
 },
 "SAML": "aws"
}*/
// The documentation's mapping with placeholders: the user has no such property.
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  user.time = 1000;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'YOUR-AWS-ROLE-NAME',
    'https://aws.amazon.com/SAML/Attributes/SessionDuration': 'time'   };
  callback(null, user, context);
}
