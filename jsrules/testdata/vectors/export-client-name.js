/*{
 "Context": {
  "clientName": "Photo \"beta\"",
  "clientMetadata": {}
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/photo"
 }
}*/
function (user, context, callback) {
  var roles = {'Photo "beta"': 'photo', 'Back office': 'administrator'};
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + roles[context.clientName];
  callback(null, user, context);
}
