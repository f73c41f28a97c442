/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "You are blocked.",
 "Claims": {
  "blocked": true
 }
}*/
// The Action waits for a promise of a library as for one of the language.
const Promise = require('bluebird');
exports.onExecutePostLogin = (event, api) => Promise.delay(50).then(() => {
  if (event.user.blocked) api.access.deny('You are blocked.');
});
