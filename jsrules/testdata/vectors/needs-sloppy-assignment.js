/*{
 "Outcome": "passed",
 "User": {"got": true}
}*/
function (user, context, callback) {
  allowed = ['alice@example.com'];
  for (i = 0; i < allowed.length; i++) {
    if (allowed[i] === user.email) user.got = true;
  }
  callback(null, user, context);
}
