/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/default"
 },
 "Claims": {
  "group": "guest"
 },
 "Outcome": "failed",
 "Text": "context.addonConfiguration.aws.role is undefined, not a string"
}*/
function (user, context, callback) {
  var roles = {admin: 'arn:aws:iam::123456789012:role/admin'};
  context.addonConfiguration.aws.role = roles[user.group];
  callback(null, user, context);
}
