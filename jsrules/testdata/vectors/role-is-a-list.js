/*{
 "Outcome": "failed",
 "Text": "context.addonConfiguration.aws.role is a list, not a string"
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.role = ['arn:aws:iam::123456789012:role/a'];
  callback(null, user, context);
}
