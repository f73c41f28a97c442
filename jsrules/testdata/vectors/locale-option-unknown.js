/*{
 "Outcome": "failed",
 "Text": "RangeError: not available here: notation: compact"
}*/
function (user, context, callback) {
  user.got = (1234567).toLocaleString('en-US', {notation: 'compact'});
  callback(null, user, context);
}
