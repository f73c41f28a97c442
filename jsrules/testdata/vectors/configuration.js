/*{
 "Configuration": {
  "ROLE": "arn:aws:iam::123456789012:role/configured",
  "OTHER": "x"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/configured"
 },
 "User": {
  "keys": [
   "OTHER",
   "ROLE"
  ],
  "tenant": "tenant tenant.auth0.com"
 }
}*/
function (user, context, callback) {
  configuration.ROLE = 'changed';
  context.addonConfiguration.aws.role = configuration.ROLE;
  user.keys = Object.keys(configuration).sort();
  user.tenant = context.tenant + ' ' + auth0.domain;
  callback(null, user, context);
}
