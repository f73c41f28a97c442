/*{
 "Claims": {
  "groups": [
   "press"
  ]
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/press"
 }
}*/
async function (user, context, callback) {
  const pick = async (group) => 'arn:aws:iam::123456789012:role/' + group;
  context.addonConfiguration.aws.role = await pick(user.groups[0]);
  callback(null, user, context);
}
