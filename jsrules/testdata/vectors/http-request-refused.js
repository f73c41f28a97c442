/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "Error: connect ECONNREFUSED api.example.com",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/secret?token=secret": {
   "Refused": true
  }
 }
}*/
function (user, context, callback) {
  require('request')('https://api.example.com/secret?token=secret', function (err, res, body) {
    if (err) return callback(err);
    callback(null, user, context);
  });
}
