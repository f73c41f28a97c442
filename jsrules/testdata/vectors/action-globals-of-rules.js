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
  "region": "eu-central-1"
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider"
 },
 "Action": true,
 "Configuration": {
  "a": "b"
 }
}*/
// Actions have none of these.
exports.onExecutePostLogin = async (event, api) => {
  const found = [typeof configuration, typeof auth0, typeof global, typeof UnauthorizedError, typeof callback];
  if (found.some(type => type !== 'undefined')) api.access.deny(found.join());
  if (typeof api.saml !== 'undefined' || typeof api.samlResponse.addAttribute !== 'undefined') api.access.deny('made up');
};
