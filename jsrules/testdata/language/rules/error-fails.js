function (user, context, callback) {
  callback(new Error('no database'));
}
