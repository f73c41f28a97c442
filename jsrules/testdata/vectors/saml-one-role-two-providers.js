/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "several SAML providers",
 "SAML": "aws"
}*/
function (user, context, callback) {
  user.awsRole = ['one', 'two'].map((name) =>
    'arn:aws:iam::123456789012:role/target,arn:aws:iam::123456789012:saml-provider/' + name);
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  callback(null, user, context);
}
