/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_redirect",
 "Text": "api.prompt.render is called",
 "At": "10:22"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.prompt.render('FORM_ID');
  } catch (e) {}
};
