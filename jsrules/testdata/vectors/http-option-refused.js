/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "request: the option jar is not available here",
 "At": "11:10",
 "Allow": [
  "api.example.com"
 ]
}*/
function (user, context, callback) {
  request({ url: 'https://api.example.com/', jar: true }, callback);
}
