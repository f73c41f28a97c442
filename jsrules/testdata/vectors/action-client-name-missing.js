/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "event.client.name is read",
 "At": "9:20"
}*/
exports.onExecutePostLogin = async (event, api) => {
  if (event.client.name === 'X') api.access.deny('no');
};
