/*{
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "context.organization is read",
 "At": "9:16"
}*/
function (user, context, callback) {
  function teamOf(of) {
    return (of.organization || {}).name;
  }
  user.team = teamOf(context);
  callback(null, user, context);
}
