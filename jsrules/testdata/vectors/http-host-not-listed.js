/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "rules may not call other.example.com: Options.HTTP.Allow does not list it",
 "Allow": [
  "api.example.com"
 ]
}*/
async function (user, context, callback) {
  const axios = require('axios@0.21.1');
  await axios.get('https://other.example.com/');
  callback(null, user, context);
}
