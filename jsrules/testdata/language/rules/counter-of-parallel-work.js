function (user, context, callback) {
  var left = 3, got = {};
  ['a', 'b', 'c'].forEach(function (name, i) {
    setTimeout(function () {
      got[name] = i;
      if (--left === 0) { user.got = got; user.order = Object.keys(got); callback(null, user, context); }
    }, 12 - 4 * i);
  });
}
