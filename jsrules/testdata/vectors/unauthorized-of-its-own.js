/*{
 "Outcome": "failed",
 "Text": "UnauthorizedError: mine"
}*/
function (user, context, callback) {
  function UnauthorizedError(message) { this.message = message; this.name = 'UnauthorizedError'; }
  callback(new UnauthorizedError('mine'));
}
