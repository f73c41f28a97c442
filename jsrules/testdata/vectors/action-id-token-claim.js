/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_unsupported",
 "Text": "api.idToken.setCustomClaim is called",
 "At": "10:31"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.idToken.setCustomClaim('https://example.com/roles', ['a']);
  } catch (e) {}
};
