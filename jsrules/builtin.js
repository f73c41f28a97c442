(function (native) {
	class Bytes extends Uint8Array {
		constructor(value, encoding, length) {
			if (typeof value === 'string') {
				super(native.decode(value, encoding));
			} else {
				super(value, encoding, length);
			}
		}
		static get [Symbol.species]() { return Bytes; }
		static from(value, encoding, length) {
			if (typeof value === 'string' || value instanceof ArrayBuffer) return new Bytes(value, encoding, length);
			if (value && value.type === 'Buffer' && Array.isArray(value.data)) value = value.data;
			return new Bytes(Array.from(value));
		}
		static alloc(size, fill, encoding) {
			const made = new Bytes(size);
			if (fill !== undefined && size > 0) {
				const pattern = typeof fill === 'string' ? new Bytes(fill, encoding) : [fill];
				for (let i = 0; i < size && pattern.length > 0; i++) made[i] = pattern[i % pattern.length];
			}
			return made;
		}
		static isBuffer(value) { return value instanceof Bytes; }
		static byteLength(value, encoding) { return typeof value === 'string' ? native.decode(value, encoding).byteLength : value.byteLength; }
		static isEncoding(name) {
			const known = ['utf8', 'utf-8', 'base64', 'base64url', 'hex', 'latin1', 'binary', 'ascii'];
			return typeof name === 'string' && known.includes(name.toLowerCase());
		}
		static concat(list, length) {
			let size = 0;
			for (const part of list) size += part.length;
			const joined = new Bytes(size);
			let at = 0;
			for (const part of list) {
				joined.set(part, at);
				at += part.length;
			}
			return length === undefined ? joined : joined.slice(0, length);
		}
		static compare(a, b) { return a.compare(b); }
		toString(encoding, start = 0, end = this.length) {
			return native.encode(this.buffer, this.byteOffset + Math.max(start, 0), this.byteOffset + Math.min(end, this.length), encoding);
		}
		toJSON() { return {type: 'Buffer', data: Array.from(this)}; }
		slice(start, end) { return this.subarray(start, end); }
		equals(other) { return this.compare(other) === 0; }
		compare(other) {
			for (let i = 0; i < this.length && i < other.length; i++) {
				if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
			}
			return Math.sign(this.length - other.length);
		}
	}
	// Old rules call it without new, too.
	const Buffer = new Proxy(Bytes, {apply: (target, self, args) => target.from(...args)});

	const bytes = (data, encoding) => (typeof data === 'string' ? new Bytes(data, encoding) : Bytes.from(data));
	class Digest {
		constructor(algorithm, key) {
			Object.assign(this, {algorithm, key, parts: []});
			native.digest(algorithm); // which must exist
		}
		update(data, encoding) {
			this.parts.push(bytes(data, encoding));
			return this;
		}
		digest(encoding) {
			const data = Bytes.concat(this.parts);
			const result = new Bytes(native.digest(this.algorithm, data.buffer, this.key && new Bytes(Array.from(this.key)).buffer));
			return encoding ? result.toString(encoding) : result;
		}
	}
	const crypto = {
		createHash: (algorithm) => new Digest(algorithm),
		createHmac: (algorithm, key) => new Digest(algorithm, bytes(key)),
		randomBytes: (size) => new Bytes(native.random(size)),
		timingSafeEqual: (a, b) => {
			if (a.length !== b.length) throw new RangeError('Input buffers must have the same byte length');
			let differs = 0;
			for (let i = 0; i < a.length; i++) differs |= a[i] ^ b[i];
			return differs === 0;
		}
	};

	const text = (value) => (['string', 'number', 'boolean'].includes(typeof value) ? String(value) : '');
	const querystring = {
		escape: (value) => native.escape(value),
		unescape: (value) => native.unescape(value),
		stringify: (object, separator = '&', equals = '=') => Object.keys(object || {}).map((name) => []
			.concat(object[name]).map((value) => native.escape(name) + equals + native.escape(text(value))).join(separator)).join(separator),
		parse: (source, separator = '&', equals = '=') => {
			const parsed = Object.create(null);
			for (const pair of String(source).split(separator)) {
				if (pair === '') continue;
				const at = pair.indexOf(equals);
				const name = native.unescape(at < 0 ? pair : pair.slice(0, at));
				const value = at < 0 ? '' : native.unescape(pair.slice(at + equals.length));
				parsed[name] = name in parsed ? [].concat(parsed[name], value) : value;
			}
			return parsed;
		}
	};
	querystring.encode = querystring.stringify;
	querystring.decode = querystring.parse;

	const util = {
		inspect: (value) => (typeof value === 'string' ? "'" + value + "'" : native.inspect(value)),
		format: (first, ...rest) => {
			const show = (value) => (typeof value === 'string' ? value : native.inspect(value));
			let line = typeof first === 'string' ? first.replace(/%[sdifjoO%]/g, (directive) => {
				if (directive === '%%') return '%';
				if (rest.length === 0) return directive;
				const value = rest.shift();
				switch (directive) {
				case '%d': return String(Number(value));
				case '%i': return String(parseInt(value, 10));
				case '%f': return String(parseFloat(value));
				case '%j': return JSON.stringify(value);
				}
				return show(value);
			}) : show(first);
			for (const value of rest) line += ' ' + show(value);
			return line;
		},
		promisify: (f) => (...args) => new Promise((resolve, reject) => f(...args, (error, value) => (error ? reject(error) : resolve(value)))),
		inherits: (child, parent) => { Object.setPrototypeOf(child.prototype, parent.prototype); },
		isArray: Array.isArray,
		isString: (value) => typeof value === 'string',
		isObject: (value) => value !== null && typeof value === 'object',
		isFunction: (value) => typeof value === 'function'
	};
	return {buffer: {Buffer}, crypto, querystring, util};
})
