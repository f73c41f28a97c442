/*{
 "Outcome": "passed",
 "User": {
  "got": [
   1661992960,
   3735027712,
   559939583
  ]
 }
}*/
function (user, context, callback) {
  user.got = [1e20 | 0, 1e21 >>> 0, ~1e21];
  callback(null, user, context);
}
