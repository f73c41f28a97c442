/*{
 "Outcome": "passed",
 "User": {
  "a": [
   {
    "x": 1
   },
   {
    "x": 1
   }
  ]
 }
}*/
function (user, context, callback) {
  var one = {x: 1};
  user.a = [one, one];
  callback(null, user, context);
}
