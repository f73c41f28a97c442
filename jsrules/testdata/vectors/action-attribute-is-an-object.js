/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "gets an object",
 "At": "10:34"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/RoleSessionName', {name: 'x'});
  } catch (e) {}
};
