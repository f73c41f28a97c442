/*{
 "Configuration": {
  "OTHER": "x"
 },
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/reader"
 },
 "Outcome": "failed",
 "Text": "context.addonConfiguration.aws.role"
}*/
function (user, context, callback) {
  // The name is in no export. The target's role must not apply in its place.
  context.addonConfiguration.aws.role = configuration.AWS_ROLE;
  callback(null, user, context);
}
