/*{
 "Outcome": "failed",
 "Text": "user.a.b.0 contains itself"
}*/
function (user, context, callback) {
  user.a = {b: []};
  user.a.b.push(user.a);
  callback(null, user, context);
}
