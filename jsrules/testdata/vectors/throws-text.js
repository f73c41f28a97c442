/*{
 "Outcome": "failed",
 "Text": "nope"
}*/
function (user, context, callback) { throw 'nope'; }
