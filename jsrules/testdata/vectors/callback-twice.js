/*{
 "Outcome": "failed",
 "Text": "callback was called again"
}*/
function (user, context, callback) {
  if (user.email) callback(null, user, context);
  callback(null, user, context);
}
