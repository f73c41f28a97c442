/* {"Claims": {}, "Outcome": "denied", "Text": "no role for you"} */
function (user, context, callback) {
  require('bluebird').try(function () { throw new UnauthorizedError('no role for you'); }).asCallback(callback);
}
