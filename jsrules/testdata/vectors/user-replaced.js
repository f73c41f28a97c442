/*{
 "Claims": {
  "big": 12345678901234567890,
  "secret": "x"
 },
 "Outcome": "passed",
 "User": {
  "user_id": "auth0|alice",
  "big": 12345678901234567890,
  "fresh": true,
  "secret": null,
  "name": null
 }
}*/
function (user, context, callback) {
  callback(null, {user_id: user.user_id, email: user.email, big: user.big, fresh: true}, context);
}
