/*{
 "Outcome": "passed",
 "User": {
  "got": "3/8/2020, 1:59:59 AM"
 }
}*/
function (user, context, callback) {
  user.got = new Date('2020-03-08T06:59:59Z').toLocaleString('en-US', {timeZone: 'America/New_York'});
  callback(null, user, context);
}
