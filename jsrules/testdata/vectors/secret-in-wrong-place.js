/*{
 "Outcome": "failed",
 "Configuration": {
  "SECRET": "swordfish"
 },
 "Text": "Invalid digest: available here are md5"
}*/
function (user, context, callback) {
  // Key and algorithm are in the wrong order. The error must not tell the key.
  user.mac = crypto.createHmac(configuration.SECRET, 'sha256').update(user.user_id).digest('hex');
  callback(null, user, context);
}
