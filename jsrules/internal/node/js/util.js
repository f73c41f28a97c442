const {invalidType, refuse, callable} = require('errors');

// inspect shows a value as Node.js does, without colours.

const custom = Symbol.for('nodejs.util.inspect.custom');

const quoted = (text) => {
	let quote = "'";
	if (text.includes("'")) {
		if (!text.includes('"')) quote = '"';
		else if (!text.includes('`') && !text.includes('${')) quote = '`';
	}
	const escapes = {'\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\'};
	let made = '';
	for (const c of text) {
		const code = c.codePointAt(0);
		if (escapes[c] || c === quote) made += escapes[c] || '\\' + c;
		else if (code === 11) made += '\\v';
		else if (code < 32 || code > 126 && code < 160) {
			made += '\\x' + code.toString(16).toUpperCase().padStart(2, '0');
		} else if (code >= 0xd800 && code <= 0xdfff) {
			made += '\\u' + code.toString(16).toUpperCase();
		} else made += c;
	}
	return quote + made + quote;
};

const isName = (text) => /^[a-zA-Z_][a-zA-Z_0-9]*$/.test(text);
const keyText = (key) => {
	if (typeof key === 'symbol') return '[' + String(key) + ']';
	return isName(key) ? key : quoted(key);
};

const primitive = (value, state) => {
	if (typeof value === 'string') {
		const limit = state.maxStringLength;
		if (value.length <= limit) return longText(value, state);
		const more = value.length - limit;
		return quoted(value.slice(0, limit)) + '... ' + more + ' more character' +
			(more > 1 ? 's' : '');
	}
	if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
	return String(value);
};

// longText breaks a text of several lines.
const longText = (value, state) => {
	if (state.compact === true || value.length <= 16 ||
		value.length <= state.breakLength - state.indent - 4) {
		return quoted(value);
	}
	return value.split(/(?<=\n)/).map((line) => quoted(line))
		.join(' +\n' + ' '.repeat(state.indent + 2));
};

const classOf = (object) => {
	let at = object;
	while (at) {
		const found = Object.getOwnPropertyDescriptor(at, 'constructor');
		if (found !== undefined && typeof found.value === 'function' && found.value.name !== '' &&
			(at === object || object instanceof found.value || at !== object)) {
			return found.value.name;
		}
		at = Object.getPrototypeOf(at);
	}
	return null;
};

const tagOf = (object, name) => {
	const tag = object[Symbol.toStringTag];
	return typeof tag === 'string' && tag !== '' && tag !== name ? '[' + tag + '] ' : '';
};

// prefix is what is before the brackets: the class, its size, and the tag.
const prefix = (name, fallback, tag, size) => {
	const sized = size === undefined ? '' : '(' + size + ')';
	if (name === null) return '[' + fallback + sized + ': null prototype] ' + tag;
	return name + sized + ' ' + tag;
};

const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

const keysOf = (value, state, isList) => {
	let keys = state.showHidden ? Object.getOwnPropertyNames(value) : Object.keys(value);
	if (isList) keys = keys.filter((key) => !/^(?:0|[1-9][0-9]*)$/.test(key) && key !== 'length');
	const symbols = Object.getOwnPropertySymbols(value)
		.filter((s) => state.showHidden || Object.prototype.propertyIsEnumerable.call(value, s));
	return keys.concat(symbols);
};

const property = (value, key, depth, state, isList) => {
	const found = Object.getOwnPropertyDescriptor(value, key) || {value: value[key]};
	let shown;
	if (found.value !== undefined || !found.get && !found.set) {
		const wide = state.compact !== true || isList ? 2 : 3;
		state.indent += wide;
		shown = show(found.value, depth, state);
		state.indent -= wide;
	} else if (found.get) {
		shown = found.set ? '[Getter/Setter]' : '[Getter]';
	} else {
		shown = '[Setter]';
	}
	if (isList) return shown;
	const name = found.enumerable === false ? '[' + String(key) + ']' : keyText(key);
	return name + ': ' + shown;
};

const remaining = (more) => '... ' + more + ' more item' + (more > 1 ? 's' : '');

const listItems = (value, depth, state) => {
	const items = [];
	const limit = Math.min(Math.max(0, state.maxArrayLength), value.length);
	let at = 0;
	let shown = 0;
	while (at < value.length && shown < limit) {
		if (at in value) {
			items.push(property(value, String(at), depth, state, true));
			at++;
		} else {
			let holes = 0;
			while (at < value.length && !(at in value)) {
				holes++;
				at++;
			}
			items.push('<' + holes + ' empty item' + (holes > 1 ? 's' : '') + '>');
		}
		shown++;
	}
	if (at < value.length) items.push(remaining(value.length - at));
	return items;
};

const errorText = (error) => {
	const name = error.name === undefined ? 'Error' : String(error.name);
	const text = error.message ? name + ': ' + error.message : name;
	return '[' + text + ']';
};

const functionText = (value, name, tag) => {
	const source = Function.prototype.toString.call(value);
	if (source.startsWith('class') && source.endsWith('}')) {
		const parent = Object.getPrototypeOf(value);
		return '[class ' + (value.name || '(anonymous)') +
			(parent && parent.name ? ' extends ' + parent.name : '') + ']';
	}
	const kind = kindOf(value) === 'Function' ? 'Function' : kindOf(value);
	return '[' + kind + (value.name ? ': ' + value.name : ' (anonymous)') + ']' +
		(tag ? ' ' + tag.trim() : '');
};

// form returns how an object is shown: brackets, what is before them, and the items that are no
// properties. An object that has no brackets is a text.
const form = (value, state, name, tag) => {
	const kind = kindOf(value);
	const brackets = (open, close, items, isList) => ({open, close, items, isList});
	if (Array.isArray(value)) {
		const before = name !== 'Array' || tag ? prefix(name, 'Array', tag, value.length) : '';
		return brackets(before + '[', ']', (depth) => listItems(value, depth, state), true);
	}
	if (value instanceof Set) {
		return brackets(prefix(name, 'Set', tag, value.size) + '{', '}', (depth) => {
			state.indent += 2;
			const items = [...value].map((item) => show(item, depth, state));
			state.indent -= 2;
			return items;
		});
	}
	if (value instanceof Map) {
		return brackets(prefix(name, 'Map', tag, value.size) + '{', '}', (depth) => {
			state.indent += 2;
			const items = [...value].map(([key, item]) => (
				show(key, depth, state) + ' => ' + show(item, depth, state)));
			state.indent -= 2;
			return items;
		});
	}
	if (ArrayBuffer.isView(value) && typeof value.length === 'number') {
		const before = prefix(name, kind, tag, value.length);
		return brackets(before + '[', ']', (depth) => listItems(value, depth, state), true);
	}
	if (kind === 'Arguments') return brackets('[Arguments] {', '}', () => []);
	if (typeof value === 'function') return {text: functionText(value, name, tag)};
	if (kind === 'RegExp') return {text: RegExp.prototype.toString.call(value)};
	if (kind === 'Date') {
		const valid = !Number.isNaN(Date.prototype.getTime.call(value));
		return {text: valid ? value.toISOString() : 'Invalid Date'};
	}
	if (value instanceof Error) return {text: errorText(value)};
	if (value instanceof Promise) return {text: 'Promise {}'};
	if (value instanceof WeakMap) return {text: 'WeakMap { <items unknown> }'};
	if (value instanceof WeakSet) return {text: 'WeakSet { <items unknown> }'};
	for (const Class of [String, Number, Boolean]) {
		if (value instanceof Class) {
			return {
				text: '[' + Class.name + ': ' + primitive(value.valueOf(), state) + ']',
				isList: Class === String
			};
		}
	}
	const before = name !== 'Object' || tag ? prefix(name, 'Object', tag) : '';
	return brackets(before + '{', '}', () => []);
};

const show = (value, depth, state) => {
	if (value === null || typeof value !== 'object' && typeof value !== 'function') {
		return primitive(value, state);
	}
	const own = state.customInspect && value[custom];
	const old = state.customInspect && typeof value.inspect === 'function' && value.toJSON &&
		require('buffer').Buffer.isBuffer(value) && value.inspect;
	const inspector = typeof own === 'function' ? own : old;
	if (inspector && inspector !== exports.inspect) {
		const left = state.depth === null ? Infinity : state.depth - depth;
		const shown = inspector.call(value, left, state.given, exports.inspect);
		if (shown !== value) {
			if (typeof shown !== 'object') return String(shown);
			return show(shown, depth, state);
		}
	}
	if (state.open.includes(value)) {
		if (!state.circular.has(value)) state.circular.set(value, state.circular.size + 1);
		return '[Circular *' + state.circular.get(value) + ']';
	}
	return showObject(value, depth, state);
};

const showObject = (value, depth, state) => {
	const name = classOf(value);
	const tag = tagOf(value, name);
	const found = form(value, state, name, tag);
	const keys = keysOf(value, state, found.isList).filter((key) => (
		!(value instanceof Error && (key === 'stack' || key === 'message'))));
	if (found.text !== undefined && keys.length === 0) return found.text;
	const size = value.size === undefined ? value.length : value.size;
	const isEmpty = keys.length === 0 && (found.isList ? size === 0 :
		value instanceof Map || value instanceof Set ? size === 0 : true);
	if (found.text === undefined && isEmpty) return found.open + found.close;
	const limit = state.depth === null ? Infinity : state.depth;
	if (depth > limit) {
		const shown = Array.isArray(value) ? 'Array' : name === null ? 'Object: null prototype' : name;
		return '[' + shown + ']';
	}
	state.open.push(value);
	state.deepest = depth;
	const isText = found.text !== undefined;
	const open = isText ? found.text + ' {' : found.open;
	let items = isText ? [] : found.items(depth + 1);
	items = items.concat(keys.map((key) => property(value, key, depth + 1, state, false)));
	state.open.pop();
	const reference = state.circular.has(value) ? '<ref *' + state.circular.get(value) + '> ' : '';
	if (state.sorted) {
		const order = state.sorted === true ? undefined : state.sorted;
		if (!found.isList) items.sort(order);
	}
	const list = found.isList && !isText;
	return layout(items, reference + open, isText ? '}' : found.close, list, depth, state, value);
};

// group puts short items of a long list into columns.
const group = (items, state, value) => {
	let total = 0;
	let longest = 0;
	let count = items.length;
	if (state.maxArrayLength < items.length) count--; // the last one says how many more there are
	const lengths = [];
	for (let i = 0; i < count; i++) {
		lengths[i] = items[i].length;
		total += lengths[i] + 2;
		longest = Math.max(longest, lengths[i]);
	}
	const width = longest + 2;
	if (!(width * 3 + state.indent < state.breakLength) ||
		!(total / width > 5 || longest <= 6)) {
		return items;
	}
	// As square as possible, with characters that are 2.5 times as high as wide.
	const biased = Math.max(width - 3 - Math.sqrt(width - total / items.length), 1);
	const columns = Math.min(
		Math.round(Math.sqrt(2.5 * biased * count) / biased),
		Math.floor((state.breakLength - state.indent) / width),
		state.compact * 4,
		15
	);
	if (columns <= 1) return items;
	const widths = [];
	for (let i = 0; i < columns; i++) {
		let most = 0;
		for (let j = i; j < count; j += columns) most = Math.max(most, lengths[j]);
		widths.push(most + 2);
	}
	const numbers = value !== undefined && Array.prototype.every.call(value,
		(item) => typeof item === 'number');
	const rows = [];
	for (let i = 0; i < count; i += columns) {
		const end = Math.min(i + columns, count);
		let row = '';
		let j = i;
		for (; j < end - 1; j++) {
			const cell = items[j] + ', ';
			row += numbers ? cell.padStart(widths[j - i]) : cell.padEnd(widths[j - i]);
		}
		row += numbers ? items[j].padStart(widths[j - i] - 2) : items[j];
		rows.push(row);
	}
	if (state.maxArrayLength < items.length) rows.push(items[count]);
	return rows;
};

// layout puts items into one line, or each into one of its own.
const layout = (given, open, close, isList, depth, state, value) => {
	let items = given;
	if (typeof state.compact === 'number' && state.compact >= 1) {
		const entries = items.length;
		if (isList && entries > 6) items = group(items, state, value);
		if (state.deepest - depth < state.compact && entries === items.length) {
			const start = items.length + state.indent + open.length + 10;
			const total = items.reduce((sum, item) => sum + item.length, items.length + start);
			if (total <= state.breakLength && items.length + start + entries <= state.breakLength &&
				!items.some((item) => item.includes('\n'))) {
				return open + ' ' + items.join(', ') + ' ' + close;
			}
		}
	}
	const line = '\n' + ' '.repeat(state.indent);
	if (state.compact === true) {
		const total = items.reduce((sum, item) => sum + item.length, items.length + open.length);
		if (total <= state.breakLength) return open + ' ' + items.join(', ') + ' ' + close;
	}
	return open + line + '  ' + items.join(',' + line + '  ') + line + close;
};

exports.inspect = function inspect(value, options, depth) {
	const given = typeof options === 'object' && options !== null ? options : {};
	if (typeof options === 'boolean') given.showHidden = options;
	if (depth !== undefined && typeof options !== 'object') given.depth = depth;
	const state = Object.assign({
		breakLength: 80, compact: 3, customInspect: true, depth: 2, maxArrayLength: 100,
		maxStringLength: 10000, showHidden: false, sorted: false
	}, given);
	for (const name of ['maxArrayLength', 'maxStringLength']) {
		if (state[name] === null) state[name] = Infinity;
	}
	Object.assign(state, {given: state, indent: 0, open: [], circular: new Map(), deepest: 0});
	return show(value, 0, state);
};
exports.inspect.custom = custom;
exports.inspect.defaultOptions = {};

const formatOne = (directive, value) => {
	switch (directive) {
	case 'd': case 'i': case 'f': {
		if (typeof value === 'symbol') return 'NaN';
		if (directive === 'd') return primitive(Number(value), {});
		const parsed = directive === 'i' ? parseInt(value, 10) : parseFloat(value);
		return primitive(parsed, {});
	}
	case 'j': return jsonText(value);
	case 'o':
		return exports.inspect(value, {showHidden: true, showProxy: true, depth: 4});
	case 'O': return exports.inspect(value);
	case 'c': return '';
	}
	if (typeof value === 'number') return primitive(value, {});
	if (typeof value !== 'object' || value === null) return String(value);
	const own = value.toString !== Object.prototype.toString &&
		value.toString !== Error.prototype.toString && !Array.isArray(value) &&
		!(value instanceof Date) && hasOwnText(value);
	if (own) return String(value);
	return exports.inspect(value, {depth: 0, compact: 3});
};

// hasOwnText reports whether an object or its class, which is none of the language, has toString.
const hasOwnText = (value) => {
	if (Object.hasOwn(value, 'toString')) return true;
	let at = Object.getPrototypeOf(value);
	while (at && !Object.hasOwn(at, 'toString')) at = Object.getPrototypeOf(at);
	const builtin = [Object, Array, Function, Date, RegExp, Map, Set, Promise, Uint8Array];
	return Boolean(at) && !builtin.some((Class) => Class.prototype === at);
};

const jsonText = (value) => {
	try {
		return JSON.stringify(value);
	} catch (error) {
		if (error instanceof TypeError) return '[Circular]';
		throw error;
	}
};

exports.format = function format(...values) {
	let line = '';
	let rest = values;
	if (typeof values[0] === 'string') {
		rest = values.slice(1);
		if (values.length === 1) return values[0];
		const text = values[0];
		let at = 0;
		while (at < text.length) {
			const next = text.indexOf('%', at);
			if (next < 0 || next === text.length - 1) break;
			const directive = text[next + 1];
			line += text.slice(at, next);
			at = next + 2;
			if (directive === '%') line += '%';
			else if ('sdifjoOc'.includes(directive) && rest.length > 0) {
				line += formatOne(directive, rest.shift());
			} else line += '%' + directive;
		}
		line += text.slice(at);
	}
	rest.forEach((value, i) => {
		const shown = typeof value === 'string' ? value : exports.inspect(value);
		line += (i > 0 || typeof values[0] === 'string' ? ' ' : '') + shown;
	});
	return line;
};
exports.formatWithOptions = (options, ...values) => exports.format(...values);

exports.promisify = function promisify(original) {
	callable('original', original);
	if (original[promisify.custom]) {
		callable('util.promisify.custom', original[promisify.custom]);
		return original[promisify.custom];
	}
	const promised = function (...values) {
		return new Promise((resolve, reject) => {
			original.call(this, ...values, (error, ...results) => {
				if (error) return reject(error);
				resolve(results[0]);
			});
		});
	};
	Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
	return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
};
exports.promisify.custom = Symbol.for('nodejs.util.promisify.custom');

exports.callbackify = function callbackify(original) {
	callable('original', original);
	return function (...values) {
		const callback = values.pop();
		callable('last argument', callback);
		const later = (f) => native.setImmediate(f);
		original.apply(this, values).then(
			(value) => later(() => callback(null, value)),
			(error) => later(() => callback(error || new Error('a promise was rejected with nothing')))
		);
	};
};

exports.inherits = (child, parent) => {
	callable('ctor', child);
	callable('superCtor', parent);
	if (parent.prototype === undefined) {
		throw invalidType('superCtor.prototype', 'of type object', parent.prototype);
	}
	Object.defineProperty(child, 'super_', {value: parent, writable: true, configurable: true});
	Object.setPrototypeOf(child.prototype, parent.prototype);
};

exports.deprecate = (f) => f;
exports.debuglog = () => () => {};
exports.debug = exports.debuglog;

// sameContent compares what two values of one class hold in no property. Without it, any two keys
// or URLs would be equal. What cannot be looked into equals itself only.
const sameContent = (a, b) => {
	if (a instanceof Promise || a instanceof WeakMap || a instanceof WeakSet) return false;
	if (a instanceof ArrayBuffer) {
		return native.compare(new Uint8Array(a), new Uint8Array(b)) === 0;
	}
	switch (classOf(a)) {
	case 'URL': case 'URLSearchParams': return String(a) === String(b);
	case 'KeyObject': return typeof a.equals === 'function' && a.equals(b);
	case 'Headers': return equal([...a], [...b], []);
	}
	return true;
};

const propertiesOf = (value) => Object.keys(value).concat(
	Object.getOwnPropertySymbols(value)
		.filter((s) => Object.prototype.propertyIsEnumerable.call(value, s)));

// isDeepStrictEqual compares as assert.deepStrictEqual does.
const equal = (a, b, open) => {
	if (Object.is(a, b)) return true;
	if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
	if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
	if (kindOf(a) !== kindOf(b) || !sameContent(a, b)) return false;
	if (Array.isArray(a) !== Array.isArray(b) || a.length !== b.length && Array.isArray(a)) {
		return false;
	}
	if (a instanceof Date && a.getTime() !== b.getTime()) return false;
	if (a instanceof RegExp && String(a) !== String(b)) return false;
	if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
	for (const Class of [String, Number, Boolean, Symbol]) {
		if (a instanceof Class && !Object.is(a.valueOf(), b.valueOf())) return false;
	}
	if (open.some((pair) => pair[0] === a && pair[1] === b)) return true;
	const inside = open.concat([[a, b]]);
	if (a instanceof Set || a instanceof Map) {
		if (a.size !== b.size) return false;
		const others = [...b];
		for (const item of a) {
			const at = others.findIndex((other) => equal(item, other, inside));
			if (at < 0) return false;
			others.splice(at, 1);
		}
	}
	const keys = propertiesOf(a);
	if (keys.length !== propertiesOf(b).length) return false;
	return keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key], inside));
};
exports.isDeepStrictEqual = (a, b) => equal(a, b, []);

exports.stripVTControlCharacters = (text) => (
	String(text).replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''));
exports.toUSVString = (text) => native.wellFormed(String(text));

exports.isArray = Array.isArray;
exports.isBoolean = (value) => typeof value === 'boolean';
exports.isBuffer = (value) => require('buffer').Buffer.isBuffer(value);
exports.isDate = (value) => value instanceof Date;
exports.isError = (value) => kindOf(value) === 'Error' || value instanceof Error;
exports.isFunction = (value) => typeof value === 'function';
exports.isNull = (value) => value === null;
exports.isNullOrUndefined = (value) => value === null || value === undefined;
exports.isNumber = (value) => typeof value === 'number';
exports.isObject = (value) => value !== null && typeof value === 'object';
exports.isPrimitive = (value) => (
	value === null || typeof value !== 'object' && typeof value !== 'function');
exports.isRegExp = (value) => value instanceof RegExp;
exports.isString = (value) => typeof value === 'string';
exports.isSymbol = (value) => typeof value === 'symbol';
exports.isUndefined = (value) => value === undefined;
exports._extend = (target, source) => (
	source === null || typeof source !== 'object' ? target : Object.assign(target, source));

const boxed = (value) => typeof value === 'object' &&
	[String, Number, Boolean, Symbol].some((Class) => value instanceof Class);
exports.types = {
	isAnyArrayBuffer: (value) => value instanceof ArrayBuffer,
	isArrayBuffer: (value) => value instanceof ArrayBuffer,
	isArrayBufferView: (value) => ArrayBuffer.isView(value),
	isAsyncFunction: (value) => kindOf(value) === 'AsyncFunction',
	isBoxedPrimitive: boxed,
	isDate: (value) => kindOf(value) === 'Date',
	isGeneratorFunction: (value) => kindOf(value) === 'GeneratorFunction',
	isMap: (value) => value instanceof Map,
	isNativeError: (value) => value instanceof Error,
	isPromise: (value) => value instanceof Promise,
	isRegExp: (value) => kindOf(value) === 'RegExp',
	isSet: (value) => value instanceof Set,
	isTypedArray: (value) => ArrayBuffer.isView(value) && typeof value.length === 'number',
	isUint8Array: (value) => value instanceof Uint8Array,
	isWeakMap: (value) => value instanceof WeakMap,
	isWeakSet: (value) => value instanceof WeakSet
};
for (const name of ['TextDecoder', 'TextEncoder']) {
	Object.defineProperty(exports, name, {enumerable: true, get: () => require('text')[name]});
}
refuse(exports, 'util.', [
	'MIMEParams', 'MIMEType', 'aborted', 'getSystemErrorMap', 'getSystemErrorName', 'log',
	'parseArgs', 'parseEnv', 'styleText', 'transferableAbortController', 'transferableAbortSignal'
]);
