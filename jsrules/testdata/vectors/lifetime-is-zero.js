/*{
 "Target": {
  "SessionDuration": 7200000000000
 },
 "Outcome": "failed",
 "Text": "lifetime_in_seconds is a number, not a whole number of seconds above 0"
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.lifetime_in_seconds = 0;
  callback(null, user, context);
}
