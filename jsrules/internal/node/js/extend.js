// The function of the npm package extend, version 3: extend(target, source...), and
// extend(true, target, source...) for copies of objects and lists inside.
const has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

const isPlain = (value) => {
	if (!value || Object.prototype.toString.call(value) !== '[object Object]') return false;
	const prototype = Object.getPrototypeOf(value);
	if (value.constructor && !has(value, 'constructor') &&
		!(value.constructor.prototype && has(value.constructor.prototype, 'isPrototypeOf'))) {
		return false;
	}
	return prototype !== undefined;
};

const set = (target, name, value) => {
	if (name !== '__proto__') {
		target[name] = value;
		return;
	}
	Object.defineProperty(target, name, {
		enumerable: true, configurable: true, writable: true, value
	});
};

const get = (object, name) => {
	if (name !== '__proto__') return object[name];
	return has(object, name) ? Object.getOwnPropertyDescriptor(object, name).value : undefined;
};

module.exports = function extend(...values) {
	const deep = values[0] === true;
	if (typeof values[0] === 'boolean') values.shift();
	let target = values.shift();
	if (target === null || target === undefined ||
		typeof target !== 'object' && typeof target !== 'function') {
		target = {};
	}
	for (const source of values) {
		if (source === null || source === undefined) continue;
		for (const name in source) {
			const was = get(target, name);
			const value = get(source, name);
			if (target === value) continue;
			if (deep && value && (isPlain(value) || Array.isArray(value))) {
				let into = was && isPlain(was) ? was : {};
				if (Array.isArray(value)) into = was && Array.isArray(was) ? was : [];
				set(target, name, extend(deep, into, value));
			} else if (value !== undefined) {
				set(target, name, value);
			}
		}
	}
	return target;
};
