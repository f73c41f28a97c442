/*{
 "Outcome": "passed",
 "User": {
  "domain": "example.com",
  "parts": [
   "alice",
   "example",
   "com"
  ]
 }
}*/
function (user, context, callback) {
  var pattern = /^([a-zA-Z0-9_\.\-])+\@(([a-zA-Z0-9\-])+\.)+([a-zA-Z0-9]{2,4})+$/;
  if (!pattern.test(user.email)) return callback(new UnauthorizedError('odd address'));
  user.domain = user.email.match(/(?<=@)[^@]+$/)[0];
  user.parts = user.email.split(/[@.]/);
  callback(null, user, context);
}
