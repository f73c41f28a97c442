/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_unsupported",
 "Text": "api.accessToken.addScope is called",
 "At": "10:29"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.accessToken.addScope('x');
  } catch (e) {}
};
