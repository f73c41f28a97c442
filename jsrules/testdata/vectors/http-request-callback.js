/*{
 "Outcome": "passed",
 "Allow": [
  "api.example.com"
 ],
 "Configuration": {
  "TOKEN": "t0k"
 },
 "Serves": {
  "POST https://api.example.com/groups?user=auth0%7Calice": {
   "Echo": true
  }
 },
 "Claims": {
  "sub": "auth0|alice"
 },
 "User": {
  "sent": {
   "body": "{\"email\":\"alice@example.com\"}",
   "authorization": "Bearer t0k",
   "type": "application/json"
  }
 }
}*/
function (user, context, callback) {
  const request = require('request');
  request.post({
    url: 'https://api.example.com/groups',
    qs: { user: user.user_id },
    headers: { Authorization: 'Bearer ' + configuration.TOKEN },
    json: { email: user.email },
    timeout: 5000
  }, function (error, response, body) {
    if (error) return callback(error);
    if (response.statusCode !== 200) return callback(new Error('status ' + response.statusCode));
    user.sent = { body: body.body, authorization: body.headers.authorization, type: body.headers['content-type'] };
    callback(null, user, context);
  });
}
