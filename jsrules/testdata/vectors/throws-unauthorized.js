/*{
 "Outcome": "denied",
 "Text": "not you"
}*/
function (user, context, callback) {
  throw new UnauthorizedError('not you');
}
