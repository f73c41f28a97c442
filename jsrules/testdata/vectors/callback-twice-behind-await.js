/*{
 "Outcome": "failed",
 "Text": "callback was called again"
}*/
async function (user, context, callback) {
  callback(null, user, context);
  await null;
  callback(null, user, context);
}
