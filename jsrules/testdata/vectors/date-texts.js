/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "2020-12-25T15:04:00.000Z",
   "2020-01-01T05:00:00.000Z",
   "2020-01-02T00:00:00.000Z",
   null,
   null
  ]
 }
}*/
function (user, context, callback) {
  user.got = ['12/25/2020 3:04 PM', '01 Jan 2020 00:00:00 EST', '2020-1-2', '2020-13-01', '01 Jan 2020 00:00 CET'].map((text) => new Date(text));
  callback(null, user, context);
}
