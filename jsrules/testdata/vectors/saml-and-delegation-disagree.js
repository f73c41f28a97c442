/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "gives the role \"arn:aws:iam::123456789012:role/console\", and addonConfiguration.aws",
 "SAML": "aws"
}*/
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/console,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/keys';
  callback(null, user, context);
}
