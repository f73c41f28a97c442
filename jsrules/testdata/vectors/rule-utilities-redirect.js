/*{
 "Outcome": "failed",
 "Code": "rule_redirect",
 "Request": {
  "IP": "203.0.113.7",
  "Hostname": "tenant.auth0.com"
 },
 "Configuration": {
  "SESSION_TOKEN_SECRET": "a long random text"
 }
}*/
function (user, context, callback) {
  const {Auth0RedirectRuleUtilities} = require('@auth0/rule-utilities');
  const utilities = new Auth0RedirectRuleUtilities(user, context, configuration);
  if (utilities.canRedirect) utilities.doRedirect('https://example.com/consent');
  callback(null, user, context);
}
