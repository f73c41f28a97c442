/*{
 "Outcome": "failed",
 "Text": "callback was never called, and a promise was rejected: TypeError: Cannot read property 'b' of undefined"
}*/
function (user, context, callback) {
  Promise.resolve().then(function () { return user.a.b; }).then(function () { callback(null, user, context); });
}
