/*{
 "Claims": {
  "app_metadata": {
   "awsRoleName": "r",
   "email": "root@example.com",
   "user_id": "x"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/r"
 },
 "User": {
  "same": true,
  "awsRoleName": "r",
  "email": "alice@example.com",
  "user_id": "auth0|alice"
 }
}*/
function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + user.awsRoleName;
  user.same = user.app_metadata.awsRoleName === user.awsRoleName;
  callback(null, user, context);
}
