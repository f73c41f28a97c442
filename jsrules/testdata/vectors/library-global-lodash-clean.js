/* {"Claims": {"user_metadata": {"theme": "dark", "__proto__": {"admin": true}, "constructor": {"prototype": {"admin": true}}}},
"Outcome": "denied", "Text": "Administrators only."} what a user writes into his own metadata must not become a property of every object */
function (user, context, callback) {
  var settings = _.merge({}, {theme: 'light'}, user.user_metadata);
  if (!user.admin && !settings.admin) {
    return callback(new UnauthorizedError('Administrators only.'));
  }
  callback(null, user, context);
}
