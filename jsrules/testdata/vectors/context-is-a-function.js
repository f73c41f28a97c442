/*{
 "Outcome": "failed",
 "Text": "context is a function, not an object"
}*/
function (user, context, callback) { callback(null, user, callback); }
