/*{
 "Outcome": "invalid",
 "Text": "this is a function that is called at once: remove the call",
 "At": "6:2"
}*/
(function (user, context, callback) {
  callback(null, user, context);
})(user, context, callback);
