/* {"Claims": {"groups": ["staff"]}, "Outcome": "denied", "Text": "You are in no group with a role."} */
function (user, context, callback) {
  const get = require('lodash/get'), intersection = require('lodash.intersection');
  if (intersection(get(user, ['groups']), ['photo-editors', 'audit']).length === 0) {
    return callback(new UnauthorizedError('You are in no group with a role.'));
  }
  callback(null, user, context);
}
