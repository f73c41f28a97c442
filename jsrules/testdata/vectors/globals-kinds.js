/* {"Outcome": "passed",
"Globals": {"A": {"list": [1, 2.5, null, true, "x"], "deep": {"b": []}}, "B": null, "C": 1e3},
"User": {"kinds": "[1,2.5,null,true,\"x\"] [] null 1000 object"}} */
function (user, context, callback) {
  user.kinds = [JSON.stringify(A.list), JSON.stringify(A.deep.b), String(B), C, typeof A].join(' ');
  callback(null, user, context);
}
