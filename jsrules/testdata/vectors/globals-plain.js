/* {"Outcome": "passed", "Globals": {"TEAM": "press"}, "User": {"team": "press"}} */
function (user, context, callback) {
  user.team = TEAM;
  callback(null, user, context);
}
