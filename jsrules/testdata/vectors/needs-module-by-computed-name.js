/*{
 "Outcome": "failed",
 "Configuration": {"CLIENT": "no-such-module@2"},
 "Text": "Cannot find module 'no-such-module': it is not available here",
 "At": "8:25"
}*/
function (user, context, callback) {
  const client = require(configuration.CLIENT);
  client(user, callback);
}
