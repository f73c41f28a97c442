/*{
 "Outcome": "failed",
 "Text": "TypeError: Cannot read property 'role' of undefined"
}*/
async function lookUp(user, context, callback) {
  const found = await Promise.resolve(null);
  context.addonConfiguration.aws.role = found.role;
  callback(null, user, context);
}
