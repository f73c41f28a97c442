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
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:Email": "samlResponse:https://aws.amazon.com/SAML/Attributes/PrincipalTag:Email"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/Workspace_Auth0",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "ali",
  "Attributes": {
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:Email": [
    "alice@example.com"
   ]
  }
 },
 "Action": true,
 "Context": {
  "clientName": "Workspace_Saml"
 },
 "Claims": {
  "nickname": "ali",
  "emails": [
   "alice@example.com"
  ]
 }
}*/
exports.onExecutePostLogin = async (event, api) => {
  if (event.client.name === "Workspace_Saml") {
    const awsRole = 'arn:aws:iam::123456789012:role/Workspace_Auth0,arn:aws:iam::123456789012:saml-provider/auth0-provider';
    const awsRoleSession = event.user.nickname;
    const email = event.user.emails[0];
    api.samlResponse.setDestination('https://signin.aws.amazon.com/saml');
    api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role', awsRole);
    api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/RoleSessionName', awsRoleSession);
    api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/PrincipalTag:Email', email);
  }
  return;
};
