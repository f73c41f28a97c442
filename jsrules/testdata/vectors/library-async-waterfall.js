/* {"Claims": {"groups": ["a", "b"]}, "Outcome": "passed", "User": {"steps": ["start", "a", "b", "end"], "parallel": {"one": 1, "two": 2}}} */
function (user, context, callback) {
  const async = require('async@2.1.2');
  async.waterfall([
    (next) => next(null, ['start']),
    (steps, next) => async.mapSeries(user.groups, (name, done) => setTimeout(done, 5, null, name),
      (e, names) => next(e, steps.concat(names))),
    (steps, next) => setImmediate(next, null, steps.concat('end'))
  ], (error, steps) => {
    if (error) return callback(error);
    user.steps = steps;
    async.parallel({one: (done) => setTimeout(done, 20, null, 1), two: (done) => done(null, 2)}, (e, parallel) => {
      user.parallel = parallel;
      callback(e, user, context);
    });
  });
}
