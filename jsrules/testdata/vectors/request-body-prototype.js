/*{
 "Request": {
  "Parameters": {
   "__proto__": {
    "admin": true
   },
   "x": "1"
  }
 },
 "Outcome": "denied",
 "Text": "no admin: __proto__,x"
}*/
function (user, context, callback) {
  if (context.request.body.admin || ({}).admin) return callback(null, user, context);
  callback(new UnauthorizedError('no admin: ' + Object.keys(context.request.body).join()));
}
