/*{
 "Outcome": "failed",
 "Text": "crypto.scryptSync is not available here"
}*/
function (user, context, callback) {
  user.key = crypto.scryptSync('password', 'salt', 32).toString('hex');
  callback(null, user, context);
}
