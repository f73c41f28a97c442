/*{
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/x"
 }
}*/
// a comment in front
function (user, context, callback) {
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/x';
  return callback(null, user, context);
}; // and one behind
