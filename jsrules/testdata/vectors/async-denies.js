/*{
 "Claims": {
  "email_verified": false
 },
 "Outcome": "denied",
 "Text": "Please verify your email before logging in."
}*/
async function (user, context, callback) {
  if (!(await Promise.resolve(user.email_verified))) {
    throw new UnauthorizedError('Please verify your email before logging in.');
  }
  return callback(null, user, context);
}
