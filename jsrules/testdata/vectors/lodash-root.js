/* {"Claims": {}, "Outcome": "passed", "User": {"got": "function"}} what lodash, async and most UMD bundles begin with */
function (user, context, callback) {
	var g = typeof global == "object" && global && global.Object === Object && global, s = typeof self == "object" && self && self.Object === Object && self;
	var root = g || s || Function("return this")();
	user.got = typeof root.Array; callback(null, user, context);
}
