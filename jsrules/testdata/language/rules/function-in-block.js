function (user, context, callback) {
  if (user.groups.length > 1) {
    function many() { return 'many'; }
    user.got = many();
  } else {
    function few() { return 'few'; }
    user.got = few();
  }
  callback(null, user, context);
}
