/*{
 "Claims": {
  "groups": [
   "a",
   "b"
  ]
 },
 "Outcome": "passed",
 "User": {
  "all": [
   "a!",
   "b!"
  ]
 }
}*/
function (user, context, callback) {
  Promise.all(user.groups.map(function (g) { return Promise.resolve(g + '!'); }))
    .then(function (all) { user.all = all; callback(null, user, context); })
    .catch(callback);
}
