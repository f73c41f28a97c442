/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "1/5/2020, 3:04:05 PM",
   "Sunday, January 5, 2020",
   "3:04 PM"
  ]
 }
}*/
function (user, context, callback) {
  var at = new Date('2020-01-05T15:04:05Z');
  user.got = [at.toLocaleString(), at.toLocaleDateString('en-US', {weekday: 'long', year: 'numeric', month: 'long', day: 'numeric'}), at.toLocaleTimeString([], {hour: 'numeric', minute: '2-digit'})];
  callback(null, user, context);
}
