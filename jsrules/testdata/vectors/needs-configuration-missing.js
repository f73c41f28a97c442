/*{
 "Outcome": "denied",
 "Claims": {"department": "staff"},
 "Text": "You are in no department with access."
}*/
function (user, context, callback) {
  if (user.department !== configuration.DEPARTMENT) {
    return callback(new UnauthorizedError('You are in no department with access.'));
  }
  callback(null, user, context);
}
