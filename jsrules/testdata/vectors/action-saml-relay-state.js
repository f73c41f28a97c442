/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_unsupported",
 "Text": "api.samlResponse.setRelayState is called",
 "At": "10:35"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.samlResponse.setRelayState('x');
  } catch (e) {}
};
