/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1",
  "SessionDuration": 900000000000,
  "SessionName": "fixed"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole",
   "https://aws.amazon.com/SAML/Attributes/RoleSessionName": "awsRoleSession",
   "https://aws.amazon.com/SAML/Attributes/SessionDuration": "time"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/r",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Duration": 36000
 },
 "SAML": "aws"
}*/
function (user, context, callback) {
  if (context.clientID !== 'CLIENT_ID') {
    return callback(null, user, context);
  }
  user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  user.awsRoleSession = user.email;
  user.time = 36000;
  context.samlConfiguration.mappings = {
    'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
    'https://aws.amazon.com/SAML/Attributes/RoleSessionName': 'awsRoleSession',
    'https://aws.amazon.com/SAML/Attributes/SessionDuration': 'time'
  };
  callback(null, user, context);
}
