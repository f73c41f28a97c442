(function (native) {
	class WeakRef {
		#target;
		constructor(target) {
			if (target === null || typeof target !== 'object' && typeof target !== 'function') throw new TypeError('WeakRef: target must be an object');
			this.#target = target;
		}
		deref() { return this.#target; }
	}
	class FinalizationRegistry {
		constructor(cleanup) {
			if (typeof cleanup !== 'function') throw new TypeError('FinalizationRegistry: cleanup must be callable');
		}
		register() {}
		unregister() { return false; }
	}
	const tag = (c, value) => Object.defineProperty(c.prototype, Symbol.toStringTag, {value, configurable: true});
	tag(WeakRef, 'WeakRef');
	tag(FinalizationRegistry, 'FinalizationRegistry');

	// An error in a microtask ends the process in Node. Here it fails the rule.
	function queueMicrotask(callback) {
		if (typeof callback !== 'function') throw new TypeError('queueMicrotask needs a function');
		Promise.resolve().then(() => { callback(); }).catch((e) => native.later(() => { throw e; }));
	}

	const dataCloneError = (what) => {
		const e = new Error(what + ' could not be cloned.');
		Object.defineProperty(e, 'name', {value: 'DataCloneError', writable: true, configurable: true});
		Object.defineProperty(e, 'code', {value: 25, configurable: true});
		return e;
	};
	// The class of an object, whatever its prototype.
	const brands = {
		Map: Object.getOwnPropertyDescriptor(Map.prototype, 'size').get,
		Set: Object.getOwnPropertyDescriptor(Set.prototype, 'size').get,
		WeakMap: WeakMap.prototype.has,
		WeakSet: WeakSet.prototype.has
	};
	const kindOf = (value) => {
		const kind = native.kind(value);
		if (kind !== 'Object') return kind;
		for (const name of Object.keys(brands)) {
			try {
				brands[name].call(value, brands);
				return name;
			} catch { /* of another class */ }
		}
		if (Object.prototype.toString.call(value) === '[object Generator]') return 'Generator';
		return value instanceof WeakRef || value instanceof FinalizationRegistry ? 'WeakRef' : kind;
	};
	const errors = {Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError};
	const hidden = (object, name, value) => Object.defineProperty(object, name, {value, writable: true, configurable: true});
	const own = (object, name) => Object.getOwnPropertyDescriptor(object, name);
	function cloneError(value, remember, clone) {
		const name = value.name === undefined ? 'Error' : String(value.name);
		const known = Object.prototype.hasOwnProperty.call(errors, name) ? errors[name] : Error;
		const copy = remember(new known());
		delete copy.message;
		const message = own(value, 'message');
		if (message && 'value' in message) hidden(copy, 'message', String(message.value));
		hidden(copy, 'stack', String(value.stack));
		const cause = own(value, 'cause');
		if (cause) hidden(copy, 'cause', clone(cause.value));
		return copy;
	}
	// HTML's StructuredSerializeInternal and StructuredDeserialize, without transfer.
	function structuredClone(value) {
		if (arguments.length === 0) throw new TypeError("The \"value\" argument must be specified");
		const seen = new Map();
		const clone = (value) => {
			if (typeof value === 'symbol') throw dataCloneError(String(value));
			if (value === null || typeof value !== 'object' && typeof value !== 'function') return value;
			if (seen.has(value)) return seen.get(value);
			const remember = (made) => { seen.set(value, made); return made; };
			const kind = kindOf(value);
			switch (kind) {
			case 'Function': throw dataCloneError(String(value));
			case 'Boolean': case 'Number': case 'String': return remember(Object(value.valueOf()));
			case 'Date': return remember(new Date(Date.prototype.getTime.call(value)));
			case 'RegExp': return remember(new RegExp(value.source, value.flags));
			case 'Error': return cloneError(value, remember, clone);
			case 'Map': {
				const made = remember(new Map());
				for (const [k, v] of [...Map.prototype.entries.call(value)]) made.set(clone(k), clone(v));
				return made;
			}
			case 'Set': {
				const made = remember(new Set());
				for (const v of [...Set.prototype.values.call(value)]) made.add(clone(v));
				return made;
			}
			case 'Array': case 'Object': break;
			default: throw dataCloneError('#<' + kind + '>');
			}
			if (value instanceof ArrayBuffer) return remember(value.slice(0));
			if (ArrayBuffer.isView(value)) return remember(value.constructor.from(value));
			const made = remember(kind === 'Array' ? new Array(value.length) : {});
			for (const name of Object.keys(value)) {
				Object.defineProperty(made, name, {value: clone(value[name]), writable: true, enumerable: true, configurable: true});
			}
			return made;
		};
		return clone(value);
	}
	return {WeakRef, FinalizationRegistry, queueMicrotask, structuredClone};
})
