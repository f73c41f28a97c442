/*{
 "Outcome": "failed",
 "Text": "user is a string, not an object"
}*/
function (user, context, callback) { callback(null, user.email, context); }
