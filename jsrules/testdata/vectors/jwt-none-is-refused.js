/*{
 "Outcome": "failed",
 "Text": "the algorithm none is not available here"
}*/
function (user, context, callback) {
  var claims = jwt.verify('eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.', '', {algorithms: ['none']});
  context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + claims.role;
  callback(null, user, context);
}
