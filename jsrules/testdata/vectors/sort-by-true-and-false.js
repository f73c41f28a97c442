/*{
 "Outcome": "passed",
 "User": {
  "got": [
   [
    "b",
    "a",
    "c"
   ],
   [
    5,
    25,
    100
   ]
  ]
 }
}*/
function (user, context, callback) {
  // Both comparisons are mistakes that run in many rules. The result is Node's.
  user.got = [['b', 'a', 'c'].sort((a, b) => a > b), [5, 100, 25].sort((a, b) => a < b ? -1 : 1)];
  callback(null, user, context);
}
