/* {"Claims": {}, "Outcome": "failed", "Text": "Cannot find module 'lodash/fp'"} */
function (user, context, callback) {
  var fp = require('lodash/fp');
  user.got = fp.map(fp.identity, []);
  callback(null, user, context);
}
