/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "samlResponse:https://aws.amazon.com/SAML/Attributes/Role",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "samlResponse:https://aws.amazon.com/SAML/Attributes/RoleSessionName",
   "https://aws.amazon.com/SAML/Attributes/SessionDuration": "samlResponse:https://aws.amazon.com/SAML/Attributes/SessionDuration"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "alice@example.com",
  "Duration": 7200
 },
 "Action": true,
 "Claims": {
  "groups": [
   "dev",
   "ops",
   "else"
  ]
 }
}*/
/**
* Handler that will be called during the execution of a PostLogin flow.
*
* @param {Event} event - Details about the user and the context in which they are logging in.
* @param {PostLoginAPI} api - Interface whose methods can be used to change the behavior of the login.
*/
const groupToRole = {
  ops: 'arn:aws:iam::123456789012:role/target,arn:aws:iam::123456789012:saml-provider/auth0-provider',
  dev: 'arn:aws:iam::123456789012:role/dev,arn:aws:iam::123456789012:saml-provider/auth0-provider',
};
exports.onExecutePostLogin = async (event, api) => {
  const userGroups = event.user.groups || [];
  const userRoles = userGroups.filter(group => groupToRole[group]).map(group => groupToRole[group]);
  if (userRoles.length > 0) {
    api.samlResponse.setAttribute("https://aws.amazon.com/SAML/Attributes/Role", userRoles);
    api.samlResponse.setAttribute("https://aws.amazon.com/SAML/Attributes/RoleSessionName", event.user.email);
    api.samlResponse.setAttribute("https://aws.amazon.com/SAML/Attributes/SessionDuration", "7200");
  }
};
