// show returns a value as text that tells apart what JSON does not.
function show(value, open) {
	open = open || [];
	if (typeof value === 'function') return 'function';
	if (typeof value === 'symbol') return value.toString();
	if (typeof value === 'string') return JSON.stringify(value);
	if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value);
	if (open.indexOf(value) >= 0) return 'itself';
	const inner = open.concat([value]);
	if (value instanceof Error) return value.name + '(' + show(value.message) + ')';
	if (value instanceof Date) return 'Date(' + value.getTime() + ')';
	if (value instanceof RegExp) return String(value);
	if (value instanceof Map) return 'Map' + show(Array.from(value), inner);
	if (value instanceof Set) return 'Set' + show(Array.from(value), inner);
	if (Array.isArray(value)) {
		const parts = [];
		for (let i = 0; i < value.length; i++) parts.push(i in value ? show(value[i], inner) : '');
		return '[' + parts.join(', ') + ']';
	}
	if (ArrayBuffer.isView(value)) return 'bytes' + show(Array.from(value), inner);
	const type = Object.prototype.toString.call(value);
	if (type !== '[object Object]' && type !== '[object Arguments]') return type + String(value);
	return '{' + Object.keys(value).map((key) => key + ': ' + show(value[key], inner)).join(', ') + '}';
}
// given calls a function with a callback, and returns what the callback is given.
function given(f) { return new Promise((resolve) => f((...values) => resolve(values))); }
