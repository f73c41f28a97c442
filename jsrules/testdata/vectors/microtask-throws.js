/*{
 "Outcome": "failed",
 "Text": "Error: in a microtask"
}*/
function (user, context, callback) {
  queueMicrotask(() => { throw new Error('in a microtask'); });
}
