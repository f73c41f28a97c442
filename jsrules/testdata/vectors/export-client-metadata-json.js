/*{
 "Claims": {
  "groups": [
   "staff",
   "press"
  ]
 },
 "Context": {
  "clientMetadata": {
   "roles": "{\"press\": \"editor\", \"audit\": \"auditor\"}"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/editor"
 }
}*/
function (user, context, callback) {
  var roles = JSON.parse(context.clientMetadata.roles);
  var group = user.groups.filter(function (name) { return roles.hasOwnProperty(name); })[0];
  if (!group) return callback(new UnauthorizedError('no role'));
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + roles[group];
  callback(null, user, context);
}
