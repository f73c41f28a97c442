/*{
 "Claims": {
  "nickname": "ali"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/ali"
 }
}*/
(user, context, callback) => {
  context.addonConfiguration.aws.role = `arn:aws:iam::123456789012:role/${user.nickname}`;
  callback(null, user, context);
}
