/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "rules call api.example.com:80 over https only",
 "Allow": [
  "api.example.com:80"
 ]
}*/
async function (user, context, callback) {
  await fetch('http://api.example.com/');
  callback(null, user, context);
}
