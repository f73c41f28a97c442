/*{
 "Context": {
  "request": {
   "ip": "192.0.2.1",
   "geoip": {
    "country_code": "DE"
   }
  }
 },
 "Outcome": "passed",
 "User": {
  "country": "DE"
 }
}*/
function (user, context, callback) {
  user.country = context.request.geoip.country_code;
  callback(null, user, context);
}
