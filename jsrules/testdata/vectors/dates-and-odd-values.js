/*{
 "Claims": {
  "nothing": "was here"
 },
 "Outcome": "passed",
 "User": {
  "when": "2026-11-18T00:00:00.000Z",
  "nothing": null,
  "f": null,
  "list": [
   null,
   null,
   null,
   null,
   1
  ],
  "boxed": [
   "s",
   2,
   false
  ],
  "map": {},
  "re": {},
  "negative": -0.5,
  "made": {
   "a": 1
  },
  "name": null
 }
}*/
function (user, context, callback) {
  user.when = new Date(Date.UTC(2026, 10, 18));
  user.nothing = undefined;
  user.none = null;
  user.f = function () {};
  user.nan = NaN;
  user.list = [undefined, function () {}, Symbol('x'), , 1];
  user.boxed = [new String('s'), new Number(2), new Boolean(false)];
  user.map = new Map([[1, 2]]);
  user.re = /x/;
  user.negative = -0.5;
  user.huge = 1e21;
  user.made = {toJSON: function () { return {a: 1}; }};
  delete user.name;
  callback(null, user, context);
}
