/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_multifactor",
 "Text": "api.multifactor.enable is called",
 "At": "10:27"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.multifactor.enable('any', {allowRememberBrowser: false});
  } catch (e) {}
};
