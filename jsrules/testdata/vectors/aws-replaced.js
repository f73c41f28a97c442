/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/old",
  "Region": "eu-west-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/new",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-west-1"
 }
}*/
function (user, context, callback) {
  context.addonConfiguration = {aws: {role: 'arn:aws:iam::123456789012:role/new', principal: 'arn:aws:iam::123456789012:saml-provider/auth0-provider'}};
  callback(null, user, context);
}
