/* {"Outcome": "passed", "Globals": {"press_ROLE": "arn:aws:iam::123456789012:role/press"},
"Claims": {"team": "press"}, "AWS": {"role": "arn:aws:iam::123456789012:role/press"}} */
function (user, context, callback) {
  context.addonConfiguration.aws.role = globalThis[user.team + '_ROLE'];
  callback(null, user, context);
}
