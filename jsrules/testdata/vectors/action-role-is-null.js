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
  "Code": "mapping_invalid",
  "Text": "of the 0 values"
 },
 "Action": true
}*/
// No role is no role: the target's must not take its place.
exports.onExecutePostLogin = async (event, api) => {
  api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role', event.user.aws_role || null);
};
