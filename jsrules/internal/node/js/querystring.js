const {coded} = require('errors');
const {internal: {wrap}} = require('buffer');

// escape throws for half of a surrogate pair, as in Node.js.
exports.escape = (value) => {
	try {
		return encodeURIComponent(String(value));
	} catch (error) {
		throw coded(URIError, 'ERR_INVALID_URI', 'URI malformed');
	}
};
exports.unescapeBuffer = (text) => wrap(native.unescape(String(text)));
exports.unescape = (text) => {
	try {
		return decodeURIComponent(text);
	} catch (e) {
		return exports.unescapeBuffer(text).toString();
	}
};

const textOf = (value) => {
	if (typeof value === 'string') return value;
	if (typeof value === 'number' && Number.isFinite(value)) return String(value);
	return typeof value === 'boolean' ? String(value) : '';
};

exports.stringify = (object, separator, equals, options) => {
	if (object === null || typeof object !== 'object') return '';
	const between = separator || '&';
	const is = equals || '=';
	const custom = options && typeof options.encodeURIComponent === 'function';
	const escape = custom ? options.encodeURIComponent : exports.escape;
	const encode = (value) => {
		const text = textOf(value);
		return text === '' ? '' : escape(text);
	};
	const pairs = [];
	for (const name of Object.keys(object)) {
		const values = Array.isArray(object[name]) ? object[name] : [object[name]];
		for (const value of values) pairs.push(encode(name) + is + encode(value));
	}
	return pairs.join(between);
};

exports.parse = (source, separator, equals, options) => {
	const parsed = Object.create(null);
	if (typeof source !== 'string' || source.length === 0) return parsed;
	const between = separator ? String(separator) : '&';
	const is = equals ? String(equals) : '=';
	const custom = options && typeof options.decodeURIComponent === 'function';
	const decode = custom ? options.decodeURIComponent : exports.unescape;
	const limit = options && typeof options.maxKeys === 'number' ? options.maxKeys : 1000;
	const unescape = (text) => {
		const spaced = text.split('+').join(custom ? '%20' : ' ');
		if (!custom && !spaced.includes('%')) return spaced;
		try {
			return decode(spaced);
		} catch (e) {
			return exports.unescape(spaced);
		}
	};
	let pairs = source.split(between);
	pairs = pairs.filter((pair) => pair !== '');
	if (limit > 0) pairs = pairs.slice(0, limit);
	for (const pair of pairs) {
		const at = pair.indexOf(is);
		const name = unescape(at < 0 ? pair : pair.slice(0, at));
		const value = at < 0 ? '' : unescape(pair.slice(at + is.length));
		if (!(name in parsed)) parsed[name] = value;
		else if (Array.isArray(parsed[name])) parsed[name].push(value);
		else parsed[name] = [parsed[name], value];
	}
	return parsed;
};
exports.encode = exports.stringify;
exports.decode = exports.parse;
