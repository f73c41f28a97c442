/*{
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "context.clientName is read",
 "At": "9:20"
}*/
function (profile, auth, done) {
  const { request, ...rest } = auth;
  const app = auth.clientName || request.query.client;
  profile.app = app;
  done(null, profile, auth);
}
