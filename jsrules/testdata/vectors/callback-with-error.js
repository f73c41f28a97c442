/*{
 "Outcome": "failed",
 "Text": "Error: the directory is away"
}*/
function (user, context, callback) {
  callback(new Error('the directory is away'));
}
