/*{
 "Context": {
  "clientMetadata": {}
 },
 "Outcome": "passed",
 "AWS": {},
 "User": {
  "team": "none",
  "has": false
 }
}*/
function (user, context, callback) {
  // An export has all metadata of a client, so a name that is not there is undefined.
  user.team = context.clientMetadata.team || 'none';
  user.has = 'team' in context.clientMetadata;
  callback(null, user, context);
}
