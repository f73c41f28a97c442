/*{
 "Outcome": "denied",
 "Text": "You are blocked.",
 "Allow": [
  "api.example.com"
 ],
 "Serves": {
  "GET https://api.example.com/blocked": {
   "Status": 403,
   "Body": {
    "blocked": true
   }
  }
 }
}*/
function checkBlocked(user, context, callback) {
  request.get({ url: 'https://api.example.com/blocked', json: true }, (err, res, body) => {
    if (err) return callback(err);
    if (res.statusCode === 403 && body.blocked) return callback(new UnauthorizedError('You are blocked.'));
    return callback(null, user, context);
  });
}
