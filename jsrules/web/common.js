// What the modules for HTTP share.
(function (native) {
	const hex = (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase();

	// encode percent-encodes all that RFC 3986 reserves.
	const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, hex);

	// addPairs adds the names and values of a nested value. index names an element of a list.
	function addPairs(pairs, name, value, options, depth) {
		if (depth > 32) throw new RangeError('the parameters are nested too deep');
		if (value === undefined || value === null && options.skipNull) return;
		if (value === null) value = '';
		if (value instanceof Date) value = value.toISOString();
		if (isBytes(value)) value = native.text(bytesOf(value));
		if (typeof value !== 'object') {
			if (typeof value !== 'function') pairs.push([name, String(value)]);
			return;
		}
		if (Array.isArray(value)) {
			const flat = !value.some((element) => element !== null && typeof element === 'object');
			for (let i = 0; i < value.length; i++) {
				addPairs(pairs, name + options.index(i, flat), value[i], options, depth + 1);
			}
			return;
		}
		for (const key of Object.keys(value)) {
			addPairs(pairs, name + '[' + key + ']', value[key], options, depth + 1);
		}
	}

	// pairsOf lists the names and values of an object of parameters.
	function pairsOf(object, options) {
		const pairs = [];
		for (const name of Object.keys(object)) addPairs(pairs, name, object[name], options, 0);
		return pairs;
	}

	const join = (pairs, encode) => pairs.map((pair) => encode(pair[0]) + '=' + encode(pair[1]))
		.join('&');

	// withQuery adds a query to a URL, before its fragment.
	function withQuery(url, query) {
		if (query === '') return url;
		const hash = url.indexOf('#');
		const base = hash < 0 ? url : url.slice(0, hash);
		const last = base[base.length - 1];
		const glue = base.indexOf('?') < 0 ? '?' : last === '?' || last === '&' ? '' : '&';
		return base + glue + query;
	}

	// Names are headers by name, in whatever case.
	class Names {
		constructor(from) {
			this.entries = new Map();
			for (const name of Object.keys(from || {})) {
				if (from[name] !== undefined && from[name] !== null) this.set(name, from[name]);
			}
		}
		has(name) { return this.entries.has(name.toLowerCase()); }
		get(name) { return this.has(name) ? this.entries.get(name.toLowerCase())[1] : undefined; }
		set(name, value) { this.entries.set(name.toLowerCase(), [name, value]); }
		setDefault(name, value) { if (!this.has(name)) this.set(name, value); }
		delete(name) { this.entries.delete(name.toLowerCase()); }
		// list returns names and values, one after the other.
		list() {
			const all = [];
			for (const [name, value] of this.entries.values()) {
				for (const one of Array.isArray(value) ? value : [value]) all.push(name, String(one));
			}
			return all;
		}
		object() {
			const all = {};
			for (const [name, value] of this.entries.values()) all[name] = value;
			return all;
		}
	}

	// failed gives an error the properties of a call that failed.
	function failed(error, failure) {
		error.code = failure.code;
		error.errno = failure.code;
		if (failure.syscall) error.syscall = failure.syscall;
		if (failure.host) error.hostname = failure.host;
		return error;
	}

	// isSearchParams reports whether a value is a URLSearchParams, whichever defines it.
	const isSearchParams = (value) => Boolean(value) && typeof value === 'object' &&
		Boolean(value.constructor) && value.constructor.name === 'URLSearchParams';

	const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

	// bytesOf returns the ArrayBuffer of bytes.
	function bytesOf(value) {
		if (value instanceof ArrayBuffer) return value;
		return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
	}

	const basic = (user, password) => 'Basic ' + native.base64(user + ':' + password);

	// refuse throws for an option that has a meaning and none here.
	function refuse(module, options, names) {
		for (const name of names) {
			if (options[name] !== undefined && options[name] !== null && options[name] !== false) {
				throw new TypeError(module + ': the option ' + name + ' is not available here');
			}
		}
	}

	return {
		encode, pairsOf, join, withQuery, Names, failed, isSearchParams, isBytes, bytesOf,
		basic, refuse
	};
})
