/*{
 "Outcome": "invalid",
 "Text": "this is an Action: compile it with CompileAction",
 "At": "8:1"
}*/
const ROLE = 'arn:aws:iam::123456789012:role/reader';

exports.onExecutePostLogin = async (event, api) => {
  api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role', ROLE);
};
