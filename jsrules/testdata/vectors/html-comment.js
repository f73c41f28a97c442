/*{
 "Outcome": "invalid",
 "Text": "write // instead",
 "At": "7:14"
}*/
function (user, context, callback) {
  if (user.n <!--context.n
  ) user.got = true;
  callback(null, user, context);
}
