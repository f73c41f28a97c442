/*{
 "Outcome": "failed",
 "Claims": {"app_metadata": {"logins": 1}},
 "Text": "auth0.users.updateAppMetadata is not available here: ",
 "At": "10:9"
}*/
function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  user.app_metadata.logins++;
  auth0.users
    .updateAppMetadata(user.user_id, user.app_metadata)
    .then(() => callback(null, user, context))
    .catch(callback);
}
