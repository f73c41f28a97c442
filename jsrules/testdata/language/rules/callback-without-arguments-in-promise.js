function (user, context, callback) {
  user.got = 1;
  Promise.resolve().then(() => callback(null, user, context)).catch(() => {});
}
