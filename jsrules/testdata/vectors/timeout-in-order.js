/*{
 "Outcome": "passed",
 "User": {
  "order": [
   "first",
   "promise",
   "now",
   "fifty",
   "and behind it",
   "tick",
   "tick",
   "done"
  ],
  "waited": true
 }
}*/
function (user, context, callback) {
  var order = [];
  var began = Date.now();
  setTimeout(function (a, b) { order.push(a + b); }, 50, 'fif', 'ty');
  setTimeout(function () { order.push('and behind it'); }, 50);
  setTimeout(function () {
    order.push('done');
    user.order = order;
    user.waited = Date.now() - began >= 1000;
    callback(null, user, context);
  }, 1000);
  setImmediate(function () { order.push('now'); });
  var gone = setTimeout(function () { order.push('never'); }, 10);
  clearTimeout(gone);
  var n = 0, every = setInterval(function () { order.push('tick'); if (++n === 2) clearInterval(every); }, 100);
  Promise.resolve().then(function () { order.push('promise'); });
  order.push('first');
}
