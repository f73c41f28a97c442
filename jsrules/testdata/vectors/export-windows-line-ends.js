/*{
 "Configuration": {
  "ROLE": "arn:aws:iam::123456789012:role/reader"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/reader"
 }
}*/
function (user, context, callback) {
  // a comment that ends with the line
  context.addonConfiguration.aws.role = configuration.ROLE;
  callback(null, user, context);
}
