/*{
 "Claims": {
  "big": 12345678901234567890,
  "small": 41,
  "deep": {
   "n": [
    12345678901234567891
   ]
  }
 },
 "Outcome": "passed",
 "User": {
  "big": 12345678901234567890,
  "copy": 12345678901234567890,
  "sum": 42,
  "deep": {
   "n": [
    12345678901234567891
   ]
  }
 }
}*/
function (user, context, callback) {
  user.same = user.big > 1;
  user.copy = user.big;
  user.sum = user.small + 1;
  callback(null, user, context);
}
