/*{
 "Outcome": "failed",
 "Text": "ReferenceError: undeclared is not defined"
}*/
function (user, context, callback) {
  'use strict';
  undeclared = 1;
  callback(null, user, context);
}
