/*{
 "Outcome": "failed",
 "Text": "RangeError: not available here: the locale de-DE",
 "At": "7:37"
}*/
function (user, context, callback) {
  user.got = (1234.5).toLocaleString('de-DE');
  callback(null, user, context);
}
