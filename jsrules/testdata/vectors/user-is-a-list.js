/*{
 "Outcome": "failed",
 "Text": "user is a list, not an object"
}*/
function (user, context, callback) { callback(null, [user], context); }
