/*{
 "Claims": {
  "sub": "google-oauth2|113"
 },
 "Outcome": "passed",
 "User": {
  "via": "google-oauth2/google-oauth2",
  "user_id": "google-oauth2|113"
 }
}*/
function (user, context, callback) {
  var social = user.identities[0].isSocial;
  if (social && context.connectionStrategy !== 'google-oauth2') return callback(new UnauthorizedError('Only Google.'));
  user.via = user.identities.map(function (i) { return i.provider + '/' + i.connection; }).join('+');
  callback(null, user, context);
}
