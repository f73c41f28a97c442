function (user, context, callback) {
  Promise.reject(new UnauthorizedError('later')).then(() => callback(null, user, context), callback);
}
