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
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "samlResponse:https://aws.amazon.com/SAML/Attributes/RoleSessionName"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/reader",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SessionName": "auth0_1234-a6d65119636888d66ce89c42"
 },
 "Action": true,
 "Secrets": {
  "AWS_ACCOUNT": "123456789012",
  "PROVIDER": "auth0-provider"
 },
 "Claims": {
  "app_metadata": {
   "aws_role": "reader"
  },
  "sub": "auth0|1234"
 }
}*/
exports.onExecutePostLogin = async (event, api) => {
  const {AWS_ACCOUNT, PROVIDER} = event.secrets;
  const {app_metadata = {}} = event.user;
  if (!app_metadata.aws_role) return;
  api.samlResponse
    .setAttribute('https://aws.amazon.com/SAML/Attributes/Role',
      `arn:aws:iam::${AWS_ACCOUNT}:role/${app_metadata.aws_role},arn:aws:iam::${AWS_ACCOUNT}:saml-provider/${PROVIDER}`)
    .samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/RoleSessionName', event.user.user_id);
};
