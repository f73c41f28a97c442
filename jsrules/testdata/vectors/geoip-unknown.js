/*{
 "Outcome": "failed",
 "Code": "rule_context_missing",
 "Text": "context.request.geoip is read",
 "At": "8:23"
}*/
function (user, context, callback) {
  if (context.request.geoip.country_code === 'XX') {
    return callback(new UnauthorizedError('not from there'));
  }
  callback(null, user, context);
}
