/* {"Claims": {}, "Outcome": "passed",
"User": {"gap": "2026-03-29T03:30:00+02:00", "twice": "2026-10-25T02:30:00+02:00", "later": "2026-10-25T02:30:00+01:00", "minutes": 1380}} clocks in Berlin skip 02:00 to 03:00 in March, and have it twice in October */
function (user, context, callback) {
  const moment = require('moment-timezone');
  user.gap = moment.tz('2026-03-29 02:30', 'Europe/Berlin').format();
  user.twice = moment.tz('2026-10-25 02:30', 'Europe/Berlin').format();
  user.later = moment.tz('2026-10-25 02:30', 'Europe/Berlin').add(1, 'hour').format();
  user.minutes = moment.tz('2026-03-30', 'Europe/Berlin').diff(moment.tz('2026-03-29', 'Europe/Berlin'), 'minutes');
  callback(null, user, context);
}
