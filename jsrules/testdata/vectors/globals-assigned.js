/* {"Outcome": "passed", "Globals": {"LIMIT": 5, "OTHER": {"a": 1}},
"User": {"limit": 6, "other": "2 undefined"}} */
function (user, context, callback) {
  LIMIT += 1;
  OTHER.a = 2;
  user.limit = LIMIT;
  user.other = OTHER.a + ' ' + OTHER.toJSON;
  callback(null, user, context);
}
