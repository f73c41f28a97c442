function (user, context, callback) {
  var whitelist = ['example.com', 'example.org'];
  var ok = whitelist.some(function (domain) {
    return user.email.split('@')[user.email.split('@').length - 1].toLowerCase() === domain;
  });
  if (!ok) return callback(new UnauthorizedError('Access denied.'));
  user.got = ok;
  return callback(null, user, context);
}
