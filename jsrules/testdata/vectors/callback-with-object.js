/*{
 "Outcome": "failed",
 "Text": "an object without name and message"
}*/
function (user, context, callback) { callback({error: 'x'}); }
