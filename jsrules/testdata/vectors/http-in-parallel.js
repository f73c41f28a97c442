/*{
 "Outcome": "passed",
 "Allow": [
  "a.example.com",
  "b.example.com"
 ],
 "Serves": {
  "GET https://a.example.com/": {
   "Body": {
    "n": 1
   }
  },
  "GET https://b.example.com/": {
   "Body": {
    "n": 2
   }
  }
 },
 "User": {
  "got": [
   1,
   2
  ]
 }
}*/
async function (user, context, callback) {
  const { default: axios } = require('axios');
  const all = await axios.all(['a', 'b'].map((name) => axios.get('https://' + name + '.example.com/')));
  user.got = all.map((r) => r.data.n);
  callback(null, user, context);
}
