/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/old",
  "Region": "eu-west-1"
 },
 "Outcome": "passed",
 "AWS": {
  "region": "eu-west-1"
 }
}*/
function (user, context, callback) {
  delete context.addonConfiguration.aws.role;
  callback(null, user, context);
}
