/*{
 "Outcome": "failed",
 "Text": "ReferenceError: unknownClient is not defined: it is not available here: ",
 "At": "9:3"
}*/
function (user, context, callback) {
  // A name that was a global of another platform.
  if (!user.email) return callback(null, user, context);
  unknownClient.get('https://example.com/roles', function () { callback(null, user, context); });
}
