function (user, context, callback) {
  if (!user.email_verified) return callback(new UnauthorizedError('verify first'));
  user.got = user.email.split('@')[1];
  return callback(null, user, context);
}
