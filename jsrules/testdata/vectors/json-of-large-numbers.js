/*{
 "Outcome": "passed",
 "User": {
  "got": [
   true,
   "Infinity",
   55296,
   1000
  ]
 }
}*/
function (user, context, callback) {
  var parsed = JSON.parse('{"n": 1e400, "half": "\\ud800", "m": 1E3}');
  user.got = [parsed.n > 1e308, String(parsed.n), parsed.half.charCodeAt(0), parsed.m];
  callback(null, user, context);
}
