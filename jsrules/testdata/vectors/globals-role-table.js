/* {"Outcome": "passed", "Claims": {"groups": ["staff", "press"]},
"Globals": {"ROLES": {"press": "arn:aws:iam::123456789012:role/press"}},
"AWS": {"role": "arn:aws:iam::123456789012:role/press"}} */
function (user, context, callback) {
  var group = user.groups.filter(function (name) { return ROLES[name]; })[0];
  if (!group) return callback(new UnauthorizedError('no role'));
  context.addonConfiguration.aws.role = ROLES[group];
  callback(null, user, context);
}
