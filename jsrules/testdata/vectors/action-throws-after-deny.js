/*{
 "Action": true,
 "Outcome": "failed",
 "Text": "TypeError",
 "At": "10:22"
}*/
exports.onExecutePostLogin = async (event, api) => {
  api.access.deny('shown to users');
  await null;
  event.user.missing.property;
};
