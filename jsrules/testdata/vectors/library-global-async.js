/* {"Claims": {"groups": ["staff", "photo-editors"]}, "Outcome": "passed", "User": {"kept": ["photo-editors"], "some": true}} Auth0's global async was 0.9, whose filter gives no error */
function (user, context, callback) {
  async.filter(user.groups, function (name, keep) { setImmediate(function () { keep(/editors$/.test(name)); }); }, function (kept) {
    user.kept = kept;
    async.some(user.groups, function (name, found) { found(name === 'staff'); }, function (some) {
      user.some = some;
      callback(null, user, context);
    });
  });
}
