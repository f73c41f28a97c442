/*{
 "Outcome": "failed",
 "Text": "context.addonConfiguration.aws.lifetime_in_seconds is a string, not a whole number of seconds above 0"
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.lifetime_in_seconds = '3600';
  callback(null, user, context);
}
