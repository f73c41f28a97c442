/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_multifactor",
 "Text": "api.authentication.challengeWith is called",
 "At": "10:37"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.authentication.challengeWith({type: 'otp'});
  } catch (e) {}
};
