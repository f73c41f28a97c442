/*{
 "Claims": {
  "app_metadata": {
   "contractor": true
  }
 },
 "Target": {
  "SessionDuration": 7200000000000
 },
 "Outcome": "passed",
 "AWS": {
  "lifetime_in_seconds": 900
 }
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.lifetime_in_seconds = user.app_metadata.contractor ? 15 * 60 : 12 * 3600;
  callback(null, user, context);
}
