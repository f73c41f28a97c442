/*{
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "auth0.accessToken is not available here: give the function accessToken in Options.Auth0",
 "Allow": [
  "tenant.auth0.com"
 ]
}*/
function (user, context, callback) {
  request.patch({
    url: auth0.baseUrl + '/users/' + user.user_id,
    headers: { Authorization: 'Bearer ' + auth0.accessToken },
    json: { app_metadata: { seen: true } }
  }, (err) => callback(err, user, context));
}
