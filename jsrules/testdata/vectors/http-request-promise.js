/*{
 "Outcome": "passed",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/a": {
   "Body": {
    "n": 1
   }
  },
  "GET https://api.example.com/b": {
   "Status": 500,
   "Body": "secret"
  }
 },
 "User": {
  "got": [
   1,
   "StatusCodeError",
   500,
   "500",
   "secret"
  ]
 }
}*/
async function (user, context, callback) {
  const rp = require('request-promise');
  const a = await rp({ uri: 'https://api.example.com/a', json: true });
  const e = await rp('https://api.example.com/b').catch((error) => error);
  user.got = [a.n, e.name, e.statusCode, e.message, e.error];
  callback(null, user, context);
}
