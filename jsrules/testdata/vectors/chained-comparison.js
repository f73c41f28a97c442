/*{
 "Outcome": "invalid",
 "Text": "write (a < b) < c, or a < b && b < c",
 "At": "7:13"
}*/
function (user, context, callback) {
  if (18 <= user.age <= 65) user.got = true;
  callback(null, user, context);
}
