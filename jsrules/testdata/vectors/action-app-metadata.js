/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_unsupported",
 "Text": "api.user.setAppMetadata is called",
 "At": "10:28"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.user.setAppMetadata('first', 'x');
  } catch (e) {}
};
