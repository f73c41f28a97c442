/*{
 "Outcome": "invalid",
 "Text": "for await is not supported: await each element",
 "At": "7:7"
}*/
async function (user, context, callback) {
  for await (const group of user.groups) user.last = group;
  callback(null, user, context);
}
