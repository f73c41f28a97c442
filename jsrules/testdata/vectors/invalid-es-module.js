/*{
 "Outcome": "invalid",
 "Text": "this is a module of ES2015: remove export default",
 "At": "6:1"
}*/
export default function (user, context, callback) {
  callback(null, user, context);
}
