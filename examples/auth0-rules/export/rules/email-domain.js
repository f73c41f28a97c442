function emailDomainWhitelist(user, context, callback) {
  var whitelist = ['example.com', 'example.org'];
  if (!user.email || !user.email_verified) {
    return callback(new UnauthorizedError('Please verify your email address.'));
  }
  var domain = user.email.split('@').pop().toLowerCase();
  if (whitelist.indexOf(domain) === -1) {
    return callback(new UnauthorizedError('Access denied for ' + domain + '.'));
  }
  return callback(null, user, context);
}
