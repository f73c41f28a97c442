/*{
 "Outcome": "passed",
 "Allow": [
  "tenant.auth0.com"
 ],
 "Configuration": {
  "TOKEN": "t0k"
 },
 "Claims": {
  "sub": "auth0|alice"
 },
 "Serves": {
  "GET https://tenant.auth0.com/api/v2/users/auth0%7Calice/roles": {
   "Body": [
    {
     "name": "editor"
    }
   ]
  },
  "PATCH https://tenant.auth0.com/api/v2/users/auth0%7Calice": {
   "Echo": true
  }
 },
 "User": {
  "got": [
   "editor",
   "{\"app_metadata\":{\"seen\":true}}",
   "Bearer t0k"
  ]
 }
}*/
async function (user, context, callback) {
  const ManagementClient = require('auth0@2.9.1').ManagementClient;
  const management = new ManagementClient({ token: configuration.TOKEN, domain: auth0.domain });
  const roles = await management.getUserRoles({ id: user.user_id });
  const sent = await management.updateAppMetadata({ id: user.user_id }, { seen: true });
  user.got = [roles[0].name, sent.body, sent.headers.authorization];
  callback(null, user, context);
}
