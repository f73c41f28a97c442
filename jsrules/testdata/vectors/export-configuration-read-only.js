/*{
 "Configuration": {
  "ROLE": "reader"
 },
 "Outcome": "failed",
 "Text": "TypeError"
}*/
function (user, context, callback) {
  'use strict';
  configuration.ROLE = 'administrator';
  callback(null, user, context);
}
