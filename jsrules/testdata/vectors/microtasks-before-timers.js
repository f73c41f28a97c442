/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "end",
   "microtask",
   "promise",
   "timer"
  ]
 }
}*/
function (user, context, callback) {
  var log = [];
  setTimeout(function () { log.push('timer'); user.got = log; callback(null, user, context); }, 0);
  queueMicrotask(() => log.push('microtask'));
  Promise.resolve().then(() => log.push('promise'));
  log.push('end');
}
