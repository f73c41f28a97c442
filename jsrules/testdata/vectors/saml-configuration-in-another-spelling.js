/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "context has no property \"saml_configuration\": samlConfiguration is meant",
 "SAML": "aws"
}*/
// The setting of the service has that name. The target's role must not take the place of the rule's.
function (user, context, callback) {
  context.saml_configuration = {mappings: {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'}};
  callback(null, user, context);
}
