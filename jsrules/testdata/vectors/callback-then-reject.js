/*{
 "Outcome": "failed",
 "Text": "Error: late"
}*/
async function (user, context, callback) {
  callback(null, user, context);
  await Promise.reject(new Error('late'));
}
