function (user, context, callback) {
  callback(null, Object.assign({}, user, {got: Object.keys(user).sort()}), context);
}
