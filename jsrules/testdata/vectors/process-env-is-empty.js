/*{
 "Outcome": "passed",
 "User": {
  "env": [
   {},
   "undefined",
   "set"
  ],
  "ticks": "tick"
 }
}*/
function (user, context, callback) {
  user.env = [Object.assign({}, process.env), typeof process.env.HOME];
  process.env.MINE = 'set';
  user.env.push(process.env.MINE);
  process.nextTick(function (text) {
    user.ticks = text;
    callback(null, user, context);
  }, 'tick');
}
