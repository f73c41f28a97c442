/* {"Claims": {}, "Outcome": "denied", "Text": "not you"} */
function (user, context, callback) {
  async.series([
    function (next) { process.nextTick(next); },
    function (next) { next(new UnauthorizedError('not you')); },
    function (next) { throw new Error('never'); }
  ], callback);
}
