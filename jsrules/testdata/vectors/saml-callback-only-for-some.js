/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "failed",
 "Text": "callback was never called",
 "SAML": "aws"
}*/
function (user, context, callback) {
    user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
    if (user.name === "sample.user@example.com") {
      context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
      callback(null, user, context);
    }
}
