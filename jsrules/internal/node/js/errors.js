// Errors with the names, codes and texts of Node.js. A text never holds a value that the rule
// gave, because the value may be a secret. Numbers are not.
const coded = (Class, code, message) => {
	const error = new Class(message);
	error.code = code;
	return error;
};

// kind names the type of a value, as Node.js does after "Received".
const kind = (value) => {
	if (value === null || value === undefined) return String(value);
	if (typeof value === 'function') return 'function ' + value.name;
	if (typeof value !== 'object') return 'type ' + typeof value;
	const made = value.constructor;
	return 'an instance of ' + (made && made.name ? made.name : 'an object without a class');
};

exports.coded = coded;
exports.invalidType = (name, expected, value) => coded(TypeError, 'ERR_INVALID_ARG_TYPE',
	'The "' + name + '" argument must be ' + expected + '. Received ' + kind(value));
exports.invalidValue = (name, reason) => coded(TypeError, 'ERR_INVALID_ARG_VALUE',
	'The argument "' + name + '" is invalid: ' + reason);
exports.outOfRange = (name, range, value) => coded(RangeError, 'ERR_OUT_OF_RANGE',
	'The value of "' + name + '" is out of range. It must be ' + range + '.' +
	(typeof value === 'number' ? ' Received ' + value : ''));
exports.unavailable = (what) => coded(Error, 'ERR_NOT_AVAILABLE', what + ' is not available here');

// refuse gives an object functions for names that exist in Node.js and not here. Each throws.
exports.refuse = (object, prefix, names) => {
	for (const name of names) {
		object[name] = function () { throw exports.unavailable(prefix + name); };
	}
};

exports.number = (name, value) => {
	if (typeof value !== 'number') throw exports.invalidType(name, 'of type number', value);
};
exports.integer = (name, value, low, high) => {
	exports.number(name, value);
	if (!Number.isInteger(value)) throw exports.outOfRange(name, 'an integer', value);
	if (value < low || value > high) {
		throw exports.outOfRange(name, '>= ' + low + ' && <= ' + high, value);
	}
};
exports.string = (name, value) => {
	if (typeof value !== 'string') throw exports.invalidType(name, 'of type string', value);
};
exports.callable = (name, value) => {
	if (typeof value !== 'function') throw exports.invalidType(name, 'of type function', value);
};
