/*{
 "Outcome": "failed",
 "Text": "RangeError: behind",
 "At": "8:9"
}*/
function (user, context, callback) {
  callback(null, user, context);
  throw new RangeError('behind');
}
