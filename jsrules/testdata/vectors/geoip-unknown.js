/*{
 "Outcome": "failed",
 "Text": "TypeError: Cannot read property 'country_code' of undefined",
 "At": "7:29"
}*/
function (user, context, callback) {
  if (context.request.geoip.country_code === 'XX') {
    return callback(new UnauthorizedError('not from there'));
  }
  callback(null, user, context);
}
