/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "AWS reads no attribute \"Email\"",
 "At": "10:34"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.samlResponse.setAttribute('Email', event.user.email);
  } catch (e) {}
};
