function (user, context, callback) {
  var hash = 5381;
  for (var i = 0; i < user.email.length; i++) hash = ((hash << 5) + hash) ^ user.email.charCodeAt(i);
  var fnv = 0x811c9dc5;
  for (var c of user.email) { fnv ^= c.charCodeAt(0); fnv = Math.imul(fnv, 0x01000193) >>> 0; }
  user.got = [hash >>> 0, fnv.toString(16), (hash >>> 0) % 100];
  callback(null, user, context);
}
