/*{
 "Outcome": "failed",
 "Text": "JsonWebTokenError: secretOrPublicKey is not valid key material"
}*/
function (user, context, callback) {
  // A forged token: the attacker signs with the public key as if it were a secret. This key is not
  // on its curve, so nothing can be verified with it. It must not count as a secret.
  var publicKey = '-----BEGIN PUBLIC KEY-----\n' +
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3lTt2fzkWrYQkq2mXsOaXMkI/pXo\n' +
    'l2LJn2R4yFzTsWtTYN3BJ1pGZBzPz3BC5ZWnyUxWJ0hxHhGkWH8oGmTkVQ==\n-----END PUBLIC KEY-----\n';
  var forged = jwt.sign({role: 'admin'}, Buffer.from(publicKey));
  jwt.verify(forged, publicKey, function (err, claims) {
    if (err) return callback(err);
    user.role = claims.role;
    callback(null, user, context);
  });
}
