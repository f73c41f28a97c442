/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "You are not in the group first."
}*/
// The Action goes on after deny, and the first reason counts.
exports.onExecutePostLogin = async (event, api) => {
  for (const group of ['first', 'second']) {
    api.access.deny('You are not in the group ' + group + '.');
  }
  api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role', 'arn:aws:iam::123456789012:role/never');
};
