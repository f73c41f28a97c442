/*{
 "Outcome": "failed",
 "Text": "context.addonConfiguration.aws.tags is an object, not an object of strings"
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.tags = {team: 'press', level: 3};
  callback(null, user, context);
}
