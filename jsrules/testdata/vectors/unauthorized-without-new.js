/*{
 "Outcome": "denied",
 "Text": "old style"
}*/
function (user, context, callback) {
  return callback(UnauthorizedError('old style'));
}
