/*{
 "Outcome": "passed"
}*/
function (user, context, callback) { callback(); }
