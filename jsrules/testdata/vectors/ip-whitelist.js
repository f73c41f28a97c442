/*{
 "Request": {
  "IP": "192.0.2.9"
 },
 "Outcome": "denied",
 "Text": "Access denied from this IP address."
}*/
function (user, context, callback) {
  const whitelist = ['192.0.2.1', '192.0.2.2'];
  if (!whitelist.includes(context.request.ip)) {
    return callback(new UnauthorizedError('Access denied from this IP address.'));
  }
  return callback(null, user, context);
}
