function (user, context, callback) {
  var roles = {
    'photo-editors': 'photo-editor',
    'audit': 'photo-auditor'
  };
  var groups = (user.groups || []).filter(function (group) { return roles.hasOwnProperty(group); });
  if (groups.length === 0) {
    return callback(new UnauthorizedError('You are in no group with a role.'));
  }
  context.addonConfiguration.aws.role = 'arn:aws:iam::' + configuration.AWS_ACCOUNT + ':role/' + roles[groups[0]];
  context.group = groups[0]; // for the rules below
  callback(null, user, context);
}
