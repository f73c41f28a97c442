/*{
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/r"
 }
}*/
function (user, context, callback) {
  step();
  function step() { return done.call(this, role.apply(null, ['r'])); }
  var prefix;
  function role(name) { return (prefix || 'arn:aws:iam::123456789012:role/') + name; }
  function done(arn) { context.addonConfiguration.aws.role = arn; return callback(null, user, context); }
}
