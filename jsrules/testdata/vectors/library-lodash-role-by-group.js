/* {"Claims": {"groups": ["staff", "photo-editors"]}, "Outcome": "passed",
"AWS": {"role": "arn:aws:iam::123456789012:role/photo-editor", "tags": {"team": "photo-editors"}}} */
function (user, context, callback) {
  const _ = require('lodash@4.17.10');
  const roles = {'photo-editors': 'photo-editor', 'audit': 'photo-auditor'};
  const group = _.find(_.get(user, 'groups', []), (name) => _.has(roles, name));
  if (_.isUndefined(group)) {
    return callback(new UnauthorizedError('You are in no group with a role.'));
  }
  _.set(context, 'addonConfiguration.aws.role', 'arn:aws:iam::123456789012:role/' + roles[group]);
  _.merge(context.addonConfiguration.aws, {tags: {team: group}});
  callback(null, user, context);
}
