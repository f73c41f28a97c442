/*{
 "Outcome": "passed",
 "Claims": {
  "prefs": {
   "__proto__": {
    "admin": true
   },
   "mail": {
    "weekly": true
   }
  }
 },
 "User": {
  "merged": {
   "mail": {
    "daily": false,
    "weekly": true
   }
  },
  "admin": false
 }
}*/
function (user, context, callback) {
  var extend = require('extend');
  var merged = extend(true, {mail: {daily: false}}, user.prefs);
  user.merged = {mail: merged.mail};
  user.admin = merged.admin === true || ({}).admin === true;
  callback(null, user, context);
}
