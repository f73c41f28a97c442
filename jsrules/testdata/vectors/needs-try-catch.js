/*{
 "Outcome": "passed",
 "User": {"got": "ReferenceError"}
}*/
function (user, context, callback) {
  try {
    unknownClient.connect();
  } catch (e) {
    user.got = e.name;
  }
  callback(null, user, context);
}
