/*{
 "Outcome": "failed",
 "Text": "out of order"
}*/
function (user, context, callback) { callback('out of order', user, context); }
