/*{
 "Outcome": "denied",
 "Text": "return address not allowed",
 "Request": {
  "Parameters": {
   "returnTo": "https://evil.example\\@app.example.com/"
  }
 }
}*/
function (user, context, callback) {
  // A browser takes the backslash for a slash, so the host is evil.example.
  const target = new URL(context.request.body.returnTo);
  if (target.hostname !== 'app.example.com') {
    return callback(new UnauthorizedError('return address not allowed'));
  }
  callback(null, user, context);
}
