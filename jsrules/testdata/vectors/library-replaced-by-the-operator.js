/* {"Claims": {}, "Outcome": "passed", "Modules": {"lodash": "exports.VERSION = 'own'; exports.global = _.VERSION;"}, "User": {"got": "own", "global": "2.4.2"}} */
function (user, context, callback) {
  user.got = require('lodash@4.17.21').VERSION;
  user.global = require('lodash').global;
  callback(null, user, context);
}
