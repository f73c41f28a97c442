/*{
 "Action": true,
 "Outcome": "invalid",
 "Text": "this is a rule"
}*/
function (user, context, callback) { callback(null, user, context); }
