/* {"Claims": {"groups": ["a", "b", "c"]}, "Outcome": "passed", "User": {"mapped": ["A", "B", "C"], "first": "fast", "kind": "timeout", "promised": "read x"}} */
function (user, context, callback) {
  var Promise = require('bluebird');
  var read = Promise.promisify(function (name, done) { setImmediate(done, null, 'read ' + name); });
  Promise.map(user.groups, function (name) { return Promise.delay(10).return(name.toUpperCase()); }, {concurrency: 2})
    .tap(function (mapped) { user.mapped = mapped; })
    .then(function () { return Promise.any([Promise.delay(50, 'slow'), Promise.delay(5, 'fast')]); })
    .then(function (first) { user.first = first; })
    .then(function () { return Promise.delay(1000).timeout(10); })
    .catch(Promise.TimeoutError, function () { user.kind = 'timeout'; })
    .then(function () { return read('x'); })
    .then(function (text) { user.promised = text; })
    .asCallback(function (error) { callback(error, user, context); });
}
