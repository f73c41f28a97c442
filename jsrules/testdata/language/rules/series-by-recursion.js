function (user, context, callback) {
  var seen = [];
  (function next(i) {
    if (i === user.groups.length) { user.got = seen; return callback(null, user, context); }
    setTimeout(function () { seen.push(user.groups[i].toUpperCase()); next(i + 1); }, 2);
  })(0);
}
