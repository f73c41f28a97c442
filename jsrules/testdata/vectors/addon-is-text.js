/*{
 "Outcome": "failed",
 "Text": "context.addonConfiguration is a string, not an object"
}*/
function (user, context, callback) {
  context.addonConfiguration = 'aws';
  callback(null, user, context);
}
