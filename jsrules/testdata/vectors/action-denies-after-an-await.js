/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "You are blocked.",
 "Claims": {
  "blocked": true
 }
}*/
const check = user => new Promise(resolve => setTimeout(resolve, 50, user.blocked));
exports.onExecutePostLogin = async (event, api) => {
  const blocked = await check(event.user);
  if (blocked) return api.access.deny('You are blocked.');
};
