/*{
 "Outcome": "denied",
 "Text": "no licence",
 "Allow": [
  "api.example.com:8443"
 ],
 "Serves": {
  "GET https://api.example.com:8443/licence": {
   "Body": "none",
   "Status": 402
  }
 }
}*/
async function (user, context, callback) {
  const fetch = require('node-fetch@2.6.1');
  const r = await fetch('https://api.example.com:8443/licence');
  if (!r.ok) throw new UnauthorizedError((await r.text()) === 'none' ? 'no licence' : 'odd');
  callback(null, user, context);
}
