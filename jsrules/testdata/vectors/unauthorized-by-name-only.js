/*{
 "Outcome": "failed",
 "Text": "UnauthorizedError: a secret of the database"
}*/
function (user, context, callback) {
  var error = new Error('a secret of the database');
  error.name = 'UnauthorizedError';
  callback(error);
}
