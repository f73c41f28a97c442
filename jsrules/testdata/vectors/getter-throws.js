/*{
 "Outcome": "failed",
 "Text": "Error: in a getter",
 "At": "7:29"
}*/
function (user, context, callback) {
  user.a = {get b() { throw new Error('in a getter'); }};
  callback(null, user, context);
}
