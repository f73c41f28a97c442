/*{
 "Configuration": {
  "LIFETIME": "07200",
  "ENABLED": "false"
 },
 "Outcome": "passed",
 "AWS": {
  "lifetime_in_seconds": 7200
 },
 "User": {
  "kinds": "string string",
  "on": true
 }
}*/
function (user, context, callback) {
  user.kinds = typeof configuration.LIFETIME + ' ' + typeof configuration.ENABLED;
  user.on = !!configuration.ENABLED; // a text that is not empty
  context.addonConfiguration.aws.lifetime_in_seconds = parseInt(configuration.LIFETIME, 10);
  callback(null, user, context);
}
