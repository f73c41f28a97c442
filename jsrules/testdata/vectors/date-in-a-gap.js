/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "2020-03-29T02:30:00.000Z",
   "2020-03-08T02:30:00.000Z",
   0
  ]
 }
}*/
function (user, context, callback) {
  // Neither Berlin nor New York has these times. A run is in UTC.
  user.got = [new Date(2020, 2, 29, 2, 30), new Date('2020-03-08T02:30:00'), new Date().getTimezoneOffset()];
  callback(null, user, context);
}
