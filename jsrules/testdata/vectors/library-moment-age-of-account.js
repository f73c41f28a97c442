/* {"Claims": {"created_at": "2026-01-31T10:00:00.000Z"}, "Outcome": "passed",
"User": {"since": "January 31st 2026", "due": "2026-02-28", "weeks": 6, "german": "Samstag, 31. Januar 2026 10:00", "valid": false}} */
function (user, context, callback) {
  var moment = require('moment');
  var created = moment.utc(user.created_at);
  user.since = created.format('MMMM Do YYYY');
  user.due = created.clone().add(1, 'month').format('YYYY-MM-DD');
  user.weeks = moment.utc('2026-03-20').diff(created, 'weeks');
  user.german = created.locale('de').format('dddd, D. MMMM YYYY HH:mm');
  user.valid = moment('2026-02-30', 'YYYY-MM-DD', true).isValid();
  callback(null, user, context);
}
