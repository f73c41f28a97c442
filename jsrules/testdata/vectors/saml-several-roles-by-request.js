/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/reader",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/reader",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider"
 },
 "Claims": {
  "groups": [
   "admin",
   "reader"
  ]
 },
 "Request": {
  "Parameters": {
   "role": "reader"
  }
 },
 "SAML": "aws"
}*/
// The caller asks for one of the user's roles, as a user chose on the sign-in page of AWS.
function (user, context, callback) {
  var wanted = context.request.body.role;
  user.awsRole = (user.groups || []).map(function (group) {
    return 'arn:aws:iam::123456789012:role/' + group + ',arn:aws:iam::123456789012:saml-provider/auth0-provider';
  });
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  if (user.groups.indexOf(wanted) < 0) return callback(new UnauthorizedError('You are not in this group.'));
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + wanted;
  callback(null, user, context);
}
