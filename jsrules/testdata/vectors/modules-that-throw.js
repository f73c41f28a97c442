/* {"Outcome": "failed", "Text": "no teams today",
"Modules": {"teams": "throw new Error('no teams today');"}} */
function (user, context, callback) {
  var teams = require('teams');
  callback(null, user, context);
}
