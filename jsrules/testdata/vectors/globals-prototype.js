/* {"Outcome": "passed", "Globals": {"A": {"__proto__": {"admin": true}, "b": 1}},
"User": {"admin": "undefined 1"}} */
function (user, context, callback) {
  user.admin = String(A.admin) + ' ' + A.b;
  callback(null, user, context);
}
