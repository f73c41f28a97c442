/*{
 "Outcome": "denied",
 "Text": "wrong pin",
 "Request": {
  "Parameters": {
   "pin": "0000"
  }
 }
}*/
function (user, context, callback) {
  crypto.pbkdf2(context.request.body.pin || '', 'salt', 1000, 32, 'sha256', function (err, key) {
    if (err) return callback(err);
    var expected = Buffer.from('Y2MyZjk4ZGU1ZDA5YzRmYjMzZTcxZmQ5NTBhM2FhOWI=', 'base64');
    if (!crypto.timingSafeEqual(key, expected)) return callback(new UnauthorizedError('wrong pin'));
    callback(null, user, context);
  });
}
