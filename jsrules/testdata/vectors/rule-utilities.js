/*{
 "Outcome": "passed",
 "Claims": {
  "sub": "auth0|alice"
 },
 "Request": {
  "IP": "203.0.113.7",
  "Hostname": "tenant.auth0.com"
 },
 "Configuration": {
  "SESSION_TOKEN_SECRET": "a long random text"
 },
 "User": {
  "can": [
   true,
   false,
   true
  ],
  "token": {
   "ip": "203.0.113.7",
   "iss": "https://tenant.auth0.com/",
   "sub": "auth0|alice",
   "days": 3
  },
  "theme": "dark",
  "update": "auth0.users.updateUserMetadata is not available here: give the function users.updateUserMetadata in Options.Auth0"
 }
}*/
function (user, context, callback) {
  const {Auth0RedirectRuleUtilities, Auth0UserUpdateUtilities} = require('@auth0/rule-utilities@0.2.0');
  const utilities = new Auth0RedirectRuleUtilities(user, context, configuration);
  user.can = [utilities.canRedirect, utilities.isRedirectCallback, utilities.protocolCanRedirect];
  const {ip, iss, sub, iat, exp} = jwt.verify(utilities.createSessionToken(), configuration.SESSION_TOKEN_SECRET);
  user.token = {ip, iss, sub, days: (exp - iat) / 86400};
  const metadata = new Auth0UserUpdateUtilities(user, auth0, 'app');
  metadata.setUserMeta('theme', 'dark');
  user.theme = user.user_metadata.app.theme;
  try {
    metadata.updateUserMetadata();
  } catch (e) {
    user.update = e.message;
  }
  callback(null, user, context);
}
