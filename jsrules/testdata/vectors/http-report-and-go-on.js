/*{
 "Outcome": "passed",
 "Allow": [
  "hooks.example.com"
 ],
 "Serves": {
  "POST https://hooks.example.com/services/T0/B0": {
   "Body": "ok"
  }
 },
 "User": {
  "late": null
 }
}*/
function (user, context, callback) {
  const SLACK_HOOK = 'https://hooks.example.com/services/T0/B0';
  require('request').post({ url: SLACK_HOOK, json: { text: 'signed in: ' + user.email } }, () => { user.late = true; });
  callback(null, user, context);
}
