/* {"Outcome": "passed", "Globals": {"ADMINS": ["alice@example.com"]},
"Modules": {"admins": "exports.has = function (email) { return ADMINS.indexOf(email) >= 0; };"},
"User": {"admin": true}} */
function (user, context, callback) {
  user.admin = require('admins').has(user.email);
  callback(null, user, context);
}
