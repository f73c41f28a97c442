/*{
 "Outcome": "passed",
 "Claims": {
  "email": "MyEmailAddress@example.com"
 },
 "User": {
  "picture": "https://s.gravatar.com/avatar/0bc83cb571cd1c50ba6f3e8a78ef1346?s=480"
 }
}*/
function (user, context, callback) {
  var hash = crypto.createHash('md5').update(user.email.toLowerCase()).digest('hex');
  user.picture = 'https://s.gravatar.com/avatar/' + hash + '?s=480';
  callback(null, user, context);
}
