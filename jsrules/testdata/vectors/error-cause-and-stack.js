/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "outer",
   "inner",
   true,
   "Mine"
  ]
 }
}*/
function (user, context, callback) {
  class Mine extends Error {
    constructor(m, o) { super(m, o); this.name = 'Mine'; Error.captureStackTrace(this, Mine); }
  }
  var e = new Mine('outer', {cause: new Error('inner')});
  user.got = [e.message, e.cause.message, e.stack.indexOf('Mine: outer') === 0, e.name];
  callback(null, user, context);
}
