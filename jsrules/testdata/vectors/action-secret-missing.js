/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "event.secrets.ALLOWED_DOMAIN is read",
 "At": "10:23"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    if (event.secrets.ALLOWED_DOMAIN && !event.user.email.endsWith(event.secrets.ALLOWED_DOMAIN)) api.access.deny('no');
  } catch (e) {}
};
