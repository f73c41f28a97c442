/*{
 "Outcome": "passed",
 "Allow": [
  "*.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/v1/roles?email=alice%40example.com": {
   "Body": {
    "roles": [
     "editor"
    ]
   },
   "Header": {
    "Content-Type": "application/json"
   }
  }
 },
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/editor"
 },
 "User": {
  "roles": [
   "editor"
  ]
 }
}*/
async (user, context, callback) => {
  const axios = require('axios');
  const api = axios.create({ baseURL: 'https://api.example.com/v1', timeout: 3000 });
  try {
    const { data } = await api.get('/roles', { params: { email: user.email } });
    user.roles = data.roles;
    context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + data.roles[0];
    return callback(null, user, context);
  } catch (error) {
    return callback(error);
  }
}
