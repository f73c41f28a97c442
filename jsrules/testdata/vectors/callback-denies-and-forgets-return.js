/*{
 "Outcome": "failed",
 "Text": "callback was called again"
}*/
function (user, context, callback) {
  if (user.email) callback(new UnauthorizedError('x'));
  callback(null, user, context);
}
