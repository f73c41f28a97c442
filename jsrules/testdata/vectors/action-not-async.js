/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "Verify your address.",
 "Claims": {
  "email_verified": false
 }
}*/
exports.onExecutePostLogin = function (event, api) { if (!event.user.email_verified) api.access.deny('Verify your address.'); };
