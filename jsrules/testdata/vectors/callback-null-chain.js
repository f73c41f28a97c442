/* {"Claims": {}, "Outcome": "failed", "Code": "rule_user_missing"} */
function (user, context, callback) { if (!user) { return callback(null, null, context); } callback(null, null, null); }
