/*{
 "Configuration": {
  "aws-role": "arn:aws:iam::123456789012:role/reader"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/reader"
 }
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.role = configuration['aws-role'];
  callback(null, user, context);
}
