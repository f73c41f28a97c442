/*{
 "Outcome": "passed",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/user": {
   "Status": 404,
   "Body": {
    "error": "none"
   }
  }
 },
 "User": {
  "got": [
   "ERR_BAD_REQUEST",
   404,
   "none",
   "Request failed with status code 404"
  ]
 }
}*/
function (user, context, callback) {
  const axios = require('axios');
  axios.get('https://api.example.com/user').then(() => callback(new Error('no'))).catch((e) => {
    user.got = [e.code, e.response.status, e.response.data.error, e.message];
    callback(null, user, context);
  });
}
