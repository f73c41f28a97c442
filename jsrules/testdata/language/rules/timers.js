function (user, context, callback) {
  setTimeout(function (a, b) { user.got = [a, b]; callback(null, user, context); }, 5, 'x', 'y');
}
