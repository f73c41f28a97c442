/*{
 "Outcome": "passed",
 "User": {
  "got": [
   "1,234.5",
   "$1,234.50",
   "12%"
  ]
 }
}*/
function (user, context, callback) {
  user.got = [(1234.5).toLocaleString('en-US'), (1234.5).toLocaleString('en-US', {style: 'currency', currency: 'USD'}), (0.123).toLocaleString(undefined, {style: 'percent'})];
  callback(null, user, context);
}
