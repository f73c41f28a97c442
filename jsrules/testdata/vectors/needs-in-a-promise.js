/*{
 "Outcome": "failed",
 "Text": "callback was never called, and a promise was rejected: ReferenceError: unknownClient",
 "At": "8:20"
}*/
function (user, context, callback) {
  Promise.resolve(user.email)
    .then(email => unknownClient.lookUp(email))
    .then(groups => { user.groups = groups; callback(null, user, context); });
}
