/*{
 "Context": {
  "clientName": "Photo"
 },
 "Outcome": "denied",
 "Text": "Photo gets no credentials."
}*/
function (user, context, callback) {
  if (['Back office', 'Reports'].indexOf(context.clientName) === -1) {
    return callback(new UnauthorizedError(context.clientName + ' gets no credentials.'));
  }
  callback(null, user, context);
}
