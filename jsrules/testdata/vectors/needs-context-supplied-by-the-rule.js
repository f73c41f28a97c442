/*{
 "Outcome": "passed",
 "User": {"got": ["Photos", 1]}
}*/
function (user, context, callback) {
  context.clientName = 'Photos';
  context.stats = { loginsCount: 1 };
  user.got = [context.clientName, context.stats.loginsCount];
  callback(null, user, context);
}
