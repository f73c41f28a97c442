function (user, context, callback) {
  setTimeout(() => callback(new UnauthorizedError('in time')), 5);
}
