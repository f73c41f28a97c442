/*{
 "Outcome": "passed",
 "Configuration": {
  "SECRET": "c2VjcmV0"
 },
 "User": {
  "valid": true,
  "minutes": 5,
  "decoded": "auth0|alice",
  "wrong": "JsonWebTokenError: invalid signature"
 },
 "Claims": {
  "sub": "auth0|alice"
 }
}*/
function (user, context, callback) {
  var token = jwt.sign({sub: user.user_id}, new Buffer(configuration.SECRET, 'base64'), {expiresInMinutes: 5});
  var payload = jwt.verify(token, new Buffer(configuration.SECRET, 'base64'));
  user.valid = payload.sub === user.user_id;
  user.minutes = (payload.exp - payload.iat) / 60;
  user.decoded = jwt.decode(token).sub;
  try {
    jwt.verify(token, configuration.SECRET);
  } catch (e) {
    user.wrong = e.name + ': ' + e.message;
  }
  callback(null, user, context);
}
