/*{
 "Outcome": "failed",
 "Text": "lifetime_in_seconds is a number, not a whole number"
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.lifetime_in_seconds = 60 * user.minutes;
  callback(null, user, context);
}
