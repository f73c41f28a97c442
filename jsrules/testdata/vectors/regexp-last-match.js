/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "alice",
   "example.com",
   "alice@example.com"
  ]
 }
}*/
function (user, context, callback) {
  if (/^(.+)@(.+)$/.test(user.email)) user.got = [RegExp.$1, RegExp.$2, RegExp.lastMatch];
  callback(null, user, context);
}
