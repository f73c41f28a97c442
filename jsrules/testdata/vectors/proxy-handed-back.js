/*{
 "Outcome": "passed",
 "User": {
  "a": {
   "x": 2
  },
  "email": "alice@example.com"
 }
}*/
function (user, context, callback) {
  user.a = new Proxy({x: 1}, {get: function (target, name) { return name === 'x' ? 2 : target[name]; }});
  callback(null, new Proxy(user, {}), context);
}
