/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "zaacbbbcac",
   "z",
   "ac",
   "a",
   null,
   "c"
  ]
 }
}*/
function (user, context, callback) {
  user.got = /(z)((a+)?(b+)?(c))*/.exec('zaacbbbcac');
  callback(null, user, context);
}
