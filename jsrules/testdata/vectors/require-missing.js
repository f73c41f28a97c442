/*{
 "Outcome": "failed",
 "Text": "Cannot find module 'request'",
 "At": "7:24"
}*/
function (user, context, callback) {
  var request = require('request@2.88.0');
  request.get('https://example.com', function () { callback(null, user, context); });
}
