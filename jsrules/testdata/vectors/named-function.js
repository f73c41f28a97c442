/*{
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/named"
 }
}*/
function assignRole(user, context, callback) {
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/named';
  callback(null, user, context);
}
