function (user, context, callback) {
  user.since = new Date(0);
  user.never = new Date(NaN);
  user.list = [new Date(1), undefined, () => 1, NaN, Infinity, -0];
  user.gone = undefined;
  user.f = function () {};
  callback(null, user, context);
}
