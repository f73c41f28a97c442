/*{
 "Claims": {
  "__proto__": {
   "admin": true
  },
  "app_metadata": {
   "__proto__": {
    "admin": true
   }
  }
 },
 "Outcome": "denied",
 "Text": "no admin"
}*/
function (user, context, callback) {
  if (user.admin || user.app_metadata.admin) return callback(null, user, context);
  callback(new UnauthorizedError('no admin'));
}
