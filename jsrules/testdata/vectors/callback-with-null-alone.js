/*{
 "Outcome": "passed",
 "AWS": {
  "region": "eu-west-1"
 },
 "User": {
  "seen": true
 }
}*/
function (user, context, callback) {
  user.seen = true;
  context.addonConfiguration.aws.region = 'eu-west-1';
  callback(null);
}
