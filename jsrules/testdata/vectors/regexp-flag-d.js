/*{
 "Outcome": "invalid",
 "Text": "the flag d of regular expressions is not supported: use index",
 "At": "7:14"
}*/
function (user, context, callback) {
  user.got = /a(b)/d.exec('xab').indices;
  callback(null, user, context);
}
