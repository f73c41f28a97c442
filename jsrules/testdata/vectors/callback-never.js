/*{
 "Outcome": "failed",
 "Text": "callback was never called"
}*/
function (user, context, callback) {
  if (user.nobody) callback(null, user, context);
}
