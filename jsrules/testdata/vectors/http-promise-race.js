/*{
 "Outcome": "passed",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/": {
   "Body": "in time"
  }
 },
 "User": {
  "got": "in time"
 }
}*/
async function (user, context, callback) {
  const limit = new Promise((resolve) => setTimeout(resolve, 60000, 'too late'));
  user.got = await Promise.race([fetch('https://api.example.com/').then((r) => r.text()), limit]);
  callback(null, user, context);
}
