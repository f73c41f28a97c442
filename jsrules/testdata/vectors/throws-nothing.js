/*{
 "Outcome": "failed",
 "Text": "undefined"
}*/
function (user, context, callback) { throw undefined; }
