/*{
 "Outcome": "passed",
 "User": {
  "got": {
   "n": 1,
   "list": [
    1,
    [
     2
    ]
   ],
   "same": true,
   "set": [
    1,
    2
   ]
  }
 }
}*/
function (user, context, callback) {
  var original = {n: 1, list: [1, [2]], set: new Set([1, 2])};
  original.self = original;
  var copy = structuredClone(original);
  copy.list[0] = 1;
  user.got = {n: copy.n, list: original.list, same: copy.self === copy, set: [...copy.set]};
  callback(null, user, context);
}
