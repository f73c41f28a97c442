/*{
 "Outcome": "passed",
 "User": {
  "there": [
   "object",
   "undefined",
   "undefined",
   "undefined",
   "undefined",
   "undefined"
  ]
 }
}*/
function (user, context, callback) {
  user.there = [typeof process, typeof fetch, typeof XMLHttpRequest, typeof eval, typeof window, typeof module];
  callback(null, user, context);
}
