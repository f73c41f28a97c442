/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "callback was never called",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/": {
   "Body": "x"
  }
 }
}*/
function (user, context, callback) {
  request('https://api.example.com/', function (err, res, body) {
    if (body === 'y') callback(null, user, context);
  });
}
