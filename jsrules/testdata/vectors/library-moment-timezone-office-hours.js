/* {"Claims": {"zoneinfo": "America/New_York", "at": "2026-11-29T22:00:00Z"}, "Outcome": "denied", "Text": "Come back on Monday."} */
function (user, context, callback) {
  var local = require('moment-timezone').utc(user.at).tz(user.zoneinfo);
  if (local.isoWeekday() > 5 || local.hour() < 8 || local.hour() >= 18) {
    return callback(new UnauthorizedError('Come back on ' + local.isoWeekday(8).format('dddd') + '.'));
  }
  callback(null, user, context);
}
