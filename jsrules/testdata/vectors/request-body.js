/*{
 "Claims": {
  "roles": [
   "arn:aws:iam::123456789012:role/a"
  ]
 },
 "Request": {
  "Parameters": {
   "role": "arn:aws:iam::123456789012:role/a",
   "api_type": "aws"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/a"
 }
}*/
function (user, context, callback) {
  var asked = context.request.body.role;
  if (asked && user.roles.indexOf(asked) === -1) return callback(new UnauthorizedError('You may not ask for ' + asked));
  if (asked) context.addonConfiguration.aws.role = asked;
  callback(null, user, context);
}
