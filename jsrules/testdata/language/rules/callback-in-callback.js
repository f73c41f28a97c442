function (user, context, callback) {
  function lookup(name, done) { setImmediate(function () { done(null, {name: name}); }); }
  lookup('a', function (err, a) {
    if (err) return callback(err);
    lookup(a.name + 'b', function (err, b) {
      if (err) return callback(err);
      user.got = [a.name, b.name];
      callback(null, user, context);
    });
  });
}
