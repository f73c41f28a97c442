/* {"Outcome": "passed", "Modules": {"teams": "module.exports = {press: 'editors'};",
"lookup": "var teams = require('teams'); module.exports = function (name) { return teams[name]; };"},
"User": {"team": "editors"}} */
function (user, context, callback) {
  user.team = require('lookup@1.2.3')('press');
  callback(null, user, context);
}
