/*{
 "Outcome": "failed",
 "Text": "not available here: numeric: true"
}*/
function (user, context, callback) {
  user.got = ['a10', 'a9'].sort((a, b) => a.localeCompare(b, undefined, {numeric: true}));
  callback(null, user, context);
}
