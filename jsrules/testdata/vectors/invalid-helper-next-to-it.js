/*{
 "Outcome": "invalid",
 "Text": "this is a rule with the function \"roleOf\" next to it: move it into the rule's body",
 "At": "6:1"
}*/
function roleOf(user) {
  return 'arn:aws:iam::123456789012:role/' + user.nickname;
}

function (user, context, callback) {
  context.addonConfiguration.aws.role = roleOf(user);
  callback(null, user, context);
}
