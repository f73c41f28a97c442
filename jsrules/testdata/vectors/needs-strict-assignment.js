/*{
 "Outcome": "failed",
 "Text": "ReferenceError: allowed is not defined: it is not available here: declare it with var",
 "At": "8:3"
}*/
function (user, context, callback) {
  'use strict';
  allowed = ['alice@example.com'];
  callback(allowed.includes(user.email) ? null : new UnauthorizedError('no'));
}
