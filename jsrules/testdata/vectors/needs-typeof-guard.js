/*{
 "Outcome": "passed",
 "User": {"got": ["no", "none", "undefined"]}
}*/
function (user, context, callback) {
  var first = typeof unknownClient !== 'undefined' && unknownClient.ready ? 'yes' : 'no';
  var second;
  if (typeof unknownCache === 'undefined') {
    second = 'none';
  } else {
    second = unknownCache.get(user.user_id);
  }
  user.got = [first, second, typeof anythingElse];
  callback(null, user, context);
}
