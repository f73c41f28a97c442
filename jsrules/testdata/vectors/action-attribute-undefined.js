/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "setAttribute gets undefined",
 "At": "10:34"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role', event.user.aws_role);
  } catch (e) {}
};
