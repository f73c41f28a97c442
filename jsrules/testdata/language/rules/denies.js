function (user, context, callback) {
  if (user.groups.indexOf('admins') === -1) {
    return callback(new UnauthorizedError('You are in ' + user.groups.join(' and ') + '.'));
  }
  callback(null, user, context);
}
