/*{
 "Outcome": "passed",
 "Context": {"stats": {"loginsCount": 3}},
 "User": {"got": "returning"}
}*/
function (user, context, callback) {
  const count = context.stats && context.stats.loginsCount ? context.stats.loginsCount : 0;
  user.got = count > 1 ? 'returning' : 'new';
  callback(null, user, context);
}
