/*{
 "Outcome": "passed",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "POST https://api.example.com/check": {
   "Echo": true
  }
 },
 "User": {
  "got": [
   200,
   true,
   "application/json",
   "{\"id\":\"auth0|alice\"}"
  ]
 },
 "Claims": {
  "sub": "auth0|alice"
 }
}*/
async function (user, context, callback) {
  const response = await fetch('https://api.example.com/check', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ id: user.user_id })
  });
  const sent = await response.json();
  user.got = [response.status, response.ok, sent.headers['content-type'], sent.body];
  return callback(null, user, context);
}
