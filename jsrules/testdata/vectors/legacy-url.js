/*{
 "Outcome": "passed",
 "User": {
  "host": "app.example.com:8443",
  "team": "press",
  "next": "https://app.example.com:8443/done?ok=1",
  "params": "team=press&from=auth0"
 }
}*/
function (user, context, callback) {
  var url = require('url');
  var parsed = url.parse('https://app.example.com:8443/callback?team=press#top', true);
  user.host = parsed.host;
  user.team = parsed.query.team;
  user.next = url.resolve(parsed.href, '/done?ok=1');
  var params = new URLSearchParams(parsed.search);
  params.append('from', 'auth0');
  user.params = params.toString();
  callback(null, user, context);
}
