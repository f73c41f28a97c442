/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "callback was called again",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/": {
   "Status": 500
  }
 }
}*/
function (user, context, callback) {
  request('https://api.example.com/', function (err, res) {
    if (res.statusCode !== 200) callback(new UnauthorizedError('no'));
    callback(null, user, context);
  });
}
