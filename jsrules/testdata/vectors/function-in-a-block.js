/*{
 "Outcome": "invalid",
 "Text": "the function roleOf is declared in a block and used outside of it",
 "At": "10:14"
}*/
function (user, context, callback) {
  if (user.groups) {
    function roleOf(group) { return 'r-' + group; }
  }
  user.got = roleOf('a');
  callback(null, user, context);
}
