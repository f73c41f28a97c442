/*{
 "Outcome": "passed",
 "User": {
  "query": "a=1&a=2&b%20c=%C3%A4%26",
  "parsed": {
   "a": [
    "1",
    "2"
   ],
   "b": "x y"
  },
  "text": "x has 7 of {\"y\":1}% more"
 }
}*/
function (user, context, callback) {
  var qs = require('querystring@0.2.0'), util = require('util');
  user.query = qs.stringify({a: ['1', '2'], 'b c': 'ä&'});
  user.parsed = qs.parse('a=1&a=2&b=x+y');
  user.text = util.format('%s has %d of %j%%', 'x', '7', {y: 1}, 'more');
  callback(null, user, context);
}
