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
   "https://aws.amazon.com/SAML/Attributes/Role": "samlResponse:https://aws.amazon.com/SAML/Attributes/Role"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/own",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider"
 },
 "SAML": "aws"
}*/
// awsrole is a property here, as any other: the SAML add-on had no virtual ones.
function (user, context, callback) {
  user.awsrole = 'arn:aws:iam::123456789012:role/own,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsrole'};
  callback(null, user, context);
}
