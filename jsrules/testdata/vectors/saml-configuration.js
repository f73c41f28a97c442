/*{
 "Absent": ["organization", "sessionID"],
 "Context": {"stats": {"loginsCount": 0}, "authorization": {"roles": []}, "authentication": {"methods": []}},
 "Outcome": "passed",
 "AWS": {}
}*/
function (user, context, callback) {
  user.awsRole = 'arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider';
  context.samlConfiguration.mappings = {'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
  context.stats.loginsCount = (context.stats.loginsCount || 0) + 1;
  if (context.organization || context.sessionID) return callback(new Error('unexpected'));
  context.idToken['https://example.com/x'] = context.accessToken.scope = context.authorization.roles.concat(context.authentication.methods);
  callback(null, user, context);
}
