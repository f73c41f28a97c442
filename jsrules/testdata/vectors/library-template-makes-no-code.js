/* {"Claims": {}, "Outcome": "failed", "Text": "EvalError: a rule makes no code at run time"} */
function (user, context, callback) {
  user.greeting = require('lodash').template('Hello <%= name %>')({name: user.name});
  callback(null, user, context);
}
