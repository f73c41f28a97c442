/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "Cannot find module 'axios': it is not available here: list the hosts that rules may call in Options.HTTP.Allow"
}*/
function (user, context, callback) {
  const axios = require('axios');
  callback(null, user, context);
}
