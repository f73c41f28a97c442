/*{
 "Claims": {
  "groups": [
   "staff",
   "audit"
  ]
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/photo-auditor"
 }
}*/
function (user, context, callback) {
  var roles = {
    'photo-editors': 'arn:aws:iam::123456789012:role/photo-editor',
    'audit': 'arn:aws:iam::123456789012:role/photo-auditor'
  };
  var groups = user.groups || [];
  for (var i = 0; i < groups.length; i++) {
    if (roles.hasOwnProperty(groups[i])) {
      context.addonConfiguration.aws.role = roles[groups[i]];
      return callback(null, user, context);
    }
  }
  return callback(new UnauthorizedError('No role for you.'));
}
