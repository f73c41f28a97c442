function (user, context, callback) {
  var n = 0;
  var id = setInterval(function () {
    n += 1;
    if (n < 4) return;
    clearInterval(id);
    user.got = n;
    callback(null, user, context);
  }, 1);
}
