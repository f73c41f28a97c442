/*{
 "Configuration": {
  "ACCOUNT": "123456789012",
  "ROLE": "reader"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/reader",
  "principal": "arn:aws:iam::123456789012:saml-provider/Auth0"
 }
}*/
function (user, context, callback) {
  const {ACCOUNT, ROLE: role = 'nobody', PROVIDER = 'Auth0'} = configuration;
  const {aws} = context.addonConfiguration;
  aws.role = `arn:aws:iam::${ACCOUNT}:role/${role}`;
  aws.principal = `arn:aws:iam::${ACCOUNT}:saml-provider/${PROVIDER}`;
  callback(null, user, context);
}
