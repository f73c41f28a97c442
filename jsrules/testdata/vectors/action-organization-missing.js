/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "event.organization is read",
 "At": "9:13"
}*/
exports.onExecutePostLogin = async (event, api) => {
  if (event.organization?.name !== 'acme') return;
  api.access.deny('no');
};
