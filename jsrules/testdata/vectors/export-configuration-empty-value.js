/*{
 "Configuration": {
  "WHITELIST": ""
 },
 "Claims": {
  "email": "alice@example.com"
 },
 "Outcome": "denied",
 "Text": "Access denied."
}*/
function (user, context, callback) {
  var whitelist = configuration.WHITELIST.split(',');
  if (whitelist.indexOf(user.email) < 0) {
    return callback(new UnauthorizedError('Access denied.'));
  }
  callback(null, user, context);
}
