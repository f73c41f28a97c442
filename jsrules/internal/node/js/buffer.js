const {
	coded, invalidType, invalidValue, outOfRange, unavailable, refuse, number
} = require('errors');

const maxLength = 2 ** 20;

class FastBuffer extends Uint8Array {
	constructor(size, offset, length) { super(size, offset, length); }
}

const names = {
	utf8: 'utf8', 'utf-8': 'utf8',
	ucs2: 'utf16le', 'ucs-2': 'utf16le', utf16le: 'utf16le', 'utf-16le': 'utf16le',
	latin1: 'latin1', binary: 'latin1', ascii: 'ascii',
	base64: 'base64', base64url: 'base64url', hex: 'hex'
};

// known returns the name of an encoding as the functions in Go know it, or undefined.
const known = (encoding) => {
	const name = String(encoding).toLowerCase();
	return Object.hasOwn(names, name) ? names[name] : undefined;
};

// named is known for an encoding that must exist.
const named = (encoding) => {
	const name = known(encoding);
	if (name === undefined) {
		throw coded(TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: a Buffer has ' +
			'utf8, utf16le, latin1, ascii, base64, base64url and hex');
	}
	return name;
};

const wrap = (memory) => new FastBuffer(memory);

const fromText = (text, encoding) => {
	if (typeof encoding !== 'string' || encoding === '') return wrap(native.decode(text, 'utf8'));
	return wrap(native.decode(text, named(encoding)));
};

const checkSize = (size) => {
	number('size', size);
	if (!(size >= 0)) throw outOfRange('size', '>= 0 && <= ' + maxLength, size);
	if (size > maxLength) {
		throw coded(RangeError, 'ERR_OUT_OF_RANGE',
			'a Buffer of more than 1 MiB is not available here: the size would be too large');
	}
};

const alloc = (size) => {
	checkSize(size);
	return new FastBuffer(Math.floor(size));
};

const fromList = (list) => {
	if (!(list.length > 0)) return new FastBuffer(0);
	const made = alloc(list.length);
	made.set(list);
	return made;
};

const isBytes = (value) => value instanceof Uint8Array;

// view returns the bytes of a Buffer, of any typed array or of a DataView, without a copy.
const view = (value) => {
	if (isBytes(value)) return value;
	if (value instanceof ArrayBuffer) return new FastBuffer(value);
	return new FastBuffer(value.buffer, value.byteOffset, value.byteLength);
};

const isView = (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;

const fromBuffer = (memory, offset, length) => {
	let start = offset === undefined ? 0 : +offset;
	if (Number.isNaN(start)) start = 0;
	const room = memory.byteLength - start;
	if (room < 0) {
		throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"offset" is outside of buffer bounds');
	}
	if (length === undefined) return new FastBuffer(memory, start, room);
	const size = +length > 0 ? +length : 0;
	if (size > room) {
		throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', '"length" is outside of buffer bounds');
	}
	return new FastBuffer(memory, start, size);
};

const expected = 'of type string or an instance of Buffer, ArrayBuffer, or Array or an ' +
	'Array-like Object';

const from = (value, encodingOrOffset, length) => {
	if (typeof value === 'string') return fromText(value, encodingOrOffset);
	if (typeof value !== 'object' || value === null) {
		throw invalidType('first argument', expected, value);
	}
	if (value instanceof ArrayBuffer) return fromBuffer(value, encodingOrOffset, length);
	const primitive = value.valueOf && value.valueOf();
	if (primitive !== null && primitive !== undefined && primitive !== value &&
		(typeof primitive === 'string' || typeof primitive === 'object')) {
		return from(primitive, encodingOrOffset, length);
	}
	if (value.length !== undefined || value.buffer instanceof ArrayBuffer) {
		return typeof value.length === 'number' ? fromList(value) : new FastBuffer(0);
	}
	if (value.type === 'Buffer' && Array.isArray(value.data)) return fromList(value.data);
	if (typeof value[Symbol.toPrimitive] === 'function') {
		const text = value[Symbol.toPrimitive]('string');
		if (typeof text === 'string') return fromText(text, encodingOrOffset);
	}
	throw invalidType('first argument', expected, value);
};

// Old rules call it without new, too.
function Buffer(value, encodingOrOffset, length) {
	if (typeof value === 'number') {
		if (typeof encodingOrOffset === 'string') {
			throw invalidType('string', 'of type string', value);
		}
		return alloc(value);
	}
	return from(value, encodingOrOffset, length);
}
FastBuffer.prototype.constructor = Buffer;
Buffer.prototype = FastBuffer.prototype;
Object.setPrototypeOf(Buffer, Uint8Array);
Object.defineProperty(Buffer, Symbol.species, {
	configurable: true,
	get() { return FastBuffer; }
});

// define gives an object functions that do not show when it is listed.
const define = (object, functions) => {
	for (const name of Object.keys(functions)) {
		Object.defineProperty(object, name, {
			value: functions[name], writable: true, configurable: true
		});
	}
};

const bytesOf = (name, value) => {
	if (!isBytes(value)) {
		throw invalidType(name, 'an instance of Buffer or Uint8Array', value);
	}
	return value;
};

define(Buffer, {
	poolSize: 8192,
	from(value, encodingOrOffset, length) { return from(value, encodingOrOffset, length); },
	of(...items) { return fromList(items); },
	alloc(size, fill, encoding) {
		const made = alloc(size);
		return fill === undefined || fill === 0 || size === 0 ? made : made.fill(fill, encoding);
	},
	allocUnsafe(size) { return alloc(size); },
	allocUnsafeSlow(size) { return alloc(size); },
	isBuffer(value) { return value instanceof Buffer; },
	isEncoding(name) { return typeof name === 'string' && known(name) !== undefined; },
	byteLength(value, encoding) {
		if (typeof value === 'string') {
			switch (known(encoding)) {
			case 'latin1': case 'ascii': return value.length;
			case 'utf16le': return 2 * value.length;
			case 'hex': return value.length >>> 1;
			case 'base64': case 'base64url': {
				// Node.js counts the padding, and no other character that it will ignore.
				let end = value.length;
				if (end > 0 && value.charCodeAt(end - 1) === 61) end--;
				if (end > 1 && value.charCodeAt(end - 1) === 61) end--;
				return (end * 3) >>> 2;
			}
			}
			return native.byteLength(value);
		}
		if (isView(value)) return value.byteLength;
		throw invalidType('string',
			'of type string or an instance of Buffer or ArrayBuffer', value);
	},
	compare(a, b) { return native.compare(bytesOf('buf1', a), bytesOf('buf2', b)); },
	concat(list, length) {
		if (!Array.isArray(list)) throw invalidType('list', 'an instance of Array', list);
		if (list.length === 0) return new FastBuffer(0);
		let size = length;
		if (length === undefined) {
			size = 0;
			for (const part of list) size += part.length || 0;
		} else if (!Number.isInteger(length) || length < 0) {
			number('length', length);
			throw outOfRange('length', '>= 0 && <= ' + maxLength, length);
		}
		const joined = alloc(size);
		let at = 0;
		list.forEach((part, i) => {
			bytesOf('list[' + i + ']', part);
			if (at >= size) return;
			joined.set(part.length > size - at ? part.subarray(0, size - at) : part, at);
			at += part.length;
		});
		return joined;
	},
	copyBytesFrom(source, offset, length) {
		if (!ArrayBuffer.isView(source)) {
			throw invalidType('view', 'an instance of TypedArray', source);
		}
		const end = length === undefined ? source.length : (offset || 0) + length;
		return fromList(view(source.slice(offset || 0, end)));
	}
});

// range reads start and end of slice and subarray.
const part = (buffer, start, end) => {
	const length = buffer.length;
	const place = (value, fallback) => {
		if (value === undefined) return fallback;
		const whole = Math.trunc(+value) || 0;
		return whole < 0 ? Math.max(whole + length, 0) : Math.min(whole, length);
	};
	const first = place(start, 0);
	const size = Math.max(place(end, length) - first, 0);
	return new FastBuffer(buffer.buffer, buffer.byteOffset + first, size);
};

const search = (buffer, value, from, encoding, forward) => {
	let offset = from;
	if (typeof offset === 'string') {
		encoding = offset;
		offset = undefined;
	}
	offset = +offset;
	if (offset > 0x7fffffff) offset = 0x7fffffff;
	else if (offset < -0x80000000) offset = -0x80000000;
	if (Number.isNaN(offset)) offset = forward ? 0 : buffer.length;
	offset = Math.trunc(offset);
	let step = 1;
	let needle = value;
	if (typeof value === 'number') {
		needle = new FastBuffer([value & 255]);
	} else if (typeof value === 'string') {
		const name = encoding === undefined ? 'utf8' : named(encoding);
		needle = wrap(native.decode(value, name));
		step = name === 'utf16le' ? 2 : 1;
	} else if (isBytes(value)) {
		step = encoding !== undefined && known(encoding) === 'utf16le' ? 2 : 1;
	} else {
		throw invalidType('value',
			'one of type number or string or an instance of Buffer or Uint8Array', value);
	}
	if (offset < 0) offset += buffer.length;
	if (offset < 0) {
		if (!forward) return -1;
		offset = 0;
	}
	if (offset > buffer.length) {
		if (forward) return needle.length === 0 ? buffer.length : -1;
		offset = buffer.length;
	}
	if (needle.length === 0) return offset;
	if (buffer.length < needle.length) return -1;
	if (forward && offset + needle.length > buffer.length) return -1;
	return native.indexOf(buffer, needle, offset, forward, step);
};

const swap = (buffer, size) => {
	if (buffer.length % size !== 0) {
		throw coded(RangeError, 'ERR_INVALID_BUFFER_SIZE',
			'Buffer size must be a multiple of ' + 8 * size + '-bits');
	}
	for (let at = 0; at < buffer.length; at += size) {
		buffer.subarray(at, at + size).reverse();
	}
	return buffer;
};

const places = (name, value, fallback, low, high) => {
	if (value === undefined) return fallback;
	number(name, value);
	if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
	if (value < low || value > high) {
		throw outOfRange(name, '>= ' + low + ' && <= ' + high, value);
	}
	return value;
};

define(Buffer.prototype, {
	toString(encoding, start, end) {
		const length = this.length;
		const first = start > 0 ? Math.min(Math.trunc(start) || 0, length) : 0;
		const last = end === undefined || end > length ? length : Math.trunc(end) || 0;
		if (last <= first) return '';
		const name = encoding === undefined ? 'utf8' : named(encoding);
		return native.encode(this.subarray(first, last), name);
	},
	toJSON() { return {type: 'Buffer', data: Array.from(this)}; },
	inspect() {
		const shown = native.encode(this.subarray(0, 50), 'hex').replace(/(.{2})/g, '$1 ').trim();
		const more = this.length - 50;
		if (more <= 0) return '<Buffer ' + shown + '>';
		return '<Buffer ' + shown + ' ... ' + more + ' more byte' + (more > 1 ? 's' : '') + '>';
	},
	slice(start, end) { return part(this, start, end); },
	subarray(start, end) { return part(this, start, end); },
	equals(other) {
		bytesOf('otherBuffer', other);
		return this === other || native.compare(this, other) === 0;
	},
	compare(target, targetStart, targetEnd, sourceStart, sourceEnd) {
		bytesOf('target', target);
		const max = maxLength;
		const from = places('targetStart', targetStart, 0, 0, max);
		const to = places('targetEnd', targetEnd, target.length, 0, target.length);
		const first = places('sourceStart', sourceStart, 0, 0, max);
		const last = places('sourceEnd', sourceEnd, this.length, 0, this.length);
		if (first >= last) return from >= to ? 0 : -1;
		if (from >= to) return 1;
		return native.compare(part(this, first, last), part(target, from, to));
	},
	copy(target, targetStart, sourceStart, sourceEnd) {
		bytesOf('target', target);
		const whole = (name, value, fallback, limit) => {
			if (value === undefined) return fallback;
			const number = Math.trunc(+value) || 0;
			if (number < 0 || number > limit) {
				throw outOfRange(name, '>= 0 && <= ' + limit, number);
			}
			return number;
		};
		const at = whole('targetStart', targetStart, 0, Infinity);
		const first = whole('sourceStart', sourceStart, 0, this.length);
		const last = Math.min(whole('sourceEnd', sourceEnd, this.length, Infinity), this.length);
		if (at >= target.length || first >= last) return 0;
		const size = Math.min(last - first, target.length - at);
		target.set(part(this, first, first + size), at);
		return size;
	},
	fill(value, offset, end, encoding) {
		if (typeof value === 'string') {
			if (offset === undefined || typeof offset === 'string') {
				encoding = offset;
				offset = undefined;
				end = undefined;
			} else if (typeof end === 'string') {
				encoding = end;
				end = undefined;
			}
			if (encoding !== undefined && typeof encoding !== 'string') {
				throw invalidType('encoding', 'of type string', encoding);
			}
		}
		const first = places('offset', offset, 0, 0, maxLength);
		const last = offset === undefined ? this.length :
			places('end', end, this.length, 0, this.length);
		let pattern = value;
		if (typeof value === 'string') {
			pattern = value === '' ? new FastBuffer(1) : fromText(value, encoding);
			if (pattern.length === 0) throw invalidValue('value', 'it makes no byte');
		} else if (isView(value)) {
			pattern = view(value);
			if (pattern.length === 0) throw invalidValue('value', 'it has no byte');
		} else {
			pattern = new FastBuffer([typeof value === 'boolean' ? +value : value & 255]);
		}
		if (first < last) native.fill(part(this, first, last), pattern);
		return this;
	},
	indexOf(value, from, encoding) { return search(this, value, from, encoding, true); },
	lastIndexOf(value, from, encoding) { return search(this, value, from, encoding, false); },
	includes(value, from, encoding) { return this.indexOf(value, from, encoding) !== -1; },
	write(text, offset, length, encoding) {
		if (typeof text !== 'string') throw invalidType('argument', 'of type string', text);
		if (typeof offset === 'string' && length === undefined) {
			encoding = offset;
			offset = undefined;
		}
		const at = places('offset', offset, 0, 0, this.length);
		if (typeof length === 'string') {
			encoding = length;
			length = undefined;
		}
		const room = this.length - at;
		const limit = Math.min(places('length', length, room, 0, this.length), room);
		const name = encoding ? named(encoding) : 'utf8';
		let made = wrap(native.decode(text, name));
		if (made.length > limit) {
			let cut = limit;
			if (name === 'utf16le') cut -= cut % 2;
			// Half a character is not written.
			if (name === 'utf8') while (cut > 0 && (made[cut] & 0xc0) === 0x80) cut--;
			made = made.subarray(0, cut);
		}
		this.set(made, at);
		return made.length;
	},
	swap16() { return swap(this, 2); },
	swap32() { return swap(this, 4); },
	swap64() { return swap(this, 8); }
});
define(Buffer.prototype, {toLocaleString: Buffer.prototype.toString});
Object.defineProperty(Buffer.prototype, 'parent', {
	enumerable: true,
	get() { return this instanceof Buffer ? this.buffer : undefined; }
});
Object.defineProperty(Buffer.prototype, 'offset', {
	enumerable: true,
	get() { return this instanceof Buffer ? this.byteOffset : undefined; }
});

// bounds refuses an offset at which a number of some size is not inside of the buffer.
const bounds = (buffer, offset, size) => {
	number('offset', offset);
	if (Math.floor(offset) !== offset) throw outOfRange('offset', 'an integer', offset);
	const last = buffer.length - size;
	if (last < 0) {
		throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS',
			'Attempt to access memory outside buffer bounds');
	}
	if (offset < 0 || offset > last) {
		throw outOfRange('offset', '>= 0 and <= ' + last, offset);
	}
};

const width = (size) => {
	if (size === undefined) throw invalidType('byteLength', 'of type number', size);
	number('byteLength', size);
	if (!Number.isInteger(size)) throw outOfRange('byteLength', 'an integer', size);
	if (size < 1 || size > 6) throw outOfRange('byteLength', '>= 1 and <= 6', size);
};

const readWhole = (buffer, offset, size, little, signed) => {
	bounds(buffer, offset, size);
	let value = 0;
	for (let i = 0; i < size; i++) {
		value = value * 256 + buffer[offset + (little ? size - 1 - i : i)];
	}
	return signed && value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
};

const writeWhole = (buffer, given, offset, size, little, signed) => {
	let value = +given;
	const low = signed ? -(2 ** (8 * size - 1)) : 0;
	const high = 2 ** (8 * size - (signed ? 1 : 0)) - 1;
	if (value > high || value < low) {
		throw outOfRange('value', '>= ' + low + ' and <= ' + high, value);
	}
	bounds(buffer, offset, size);
	value = Math.trunc(value) || 0;
	if (value < 0) value += 2 ** (8 * size);
	for (let i = 0; i < size; i++) {
		buffer[offset + (little ? i : size - 1 - i)] = value % 256;
		value = Math.floor(value / 256);
	}
	return offset + size;
};

for (const little of [true, false]) {
	const end = little ? 'LE' : 'BE';
	for (const signed of [true, false]) {
		const name = signed ? 'Int' : 'UInt';
		const both = (functions) => {
			define(Buffer.prototype, functions);
			if (signed) return;
			for (const long of Object.keys(functions)) {
				define(Buffer.prototype, {[long.replace('UInt', 'Uint')]: functions[long]});
			}
		};
		for (const size of [1, 2, 4]) {
			const suffix = name + 8 * size + (size === 1 ? '' : end);
			both({
				['read' + suffix](offset = 0) {
					return readWhole(this, offset, size, little, signed);
				},
				['write' + suffix](value, offset = 0) {
					return writeWhole(this, value, offset, size, little, signed);
				}
			});
		}
		both({
			['read' + name + end](offset, size) {
				if (offset === undefined) throw invalidType('offset', 'of type number', offset);
				width(size);
				return readWhole(this, offset, size, little, signed);
			},
			['write' + name + end](value, offset, size) {
				width(size);
				return writeWhole(this, value, offset, size, little, signed);
			}
		});
		both({
			['readBig' + name + '64' + end]() { throw unavailable('BigInt'); },
			['writeBig' + name + '64' + end]() { throw unavailable('BigInt'); }
		});
	}
	for (const [name, size] of [['Float', 4], ['Double', 8]]) {
		define(Buffer.prototype, {
			['read' + name + end](offset = 0) {
				bounds(this, offset, size);
				return native.readFloat(part(this, offset, offset + size), little);
			},
			['write' + name + end](value, offset = 0) {
				const number = +value;
				bounds(this, offset, size);
				native.writeFloat(part(this, offset, offset + size), little, number);
				return offset + size;
			}
		});
	}
}

exports.Buffer = Buffer;
exports.SlowBuffer = function SlowBuffer(size) { return alloc(size); };
exports.INSPECT_MAX_BYTES = 50;
exports.kMaxLength = maxLength;
exports.constants = {MAX_LENGTH: maxLength, MAX_STRING_LENGTH: 2 ** 24};
exports.isUtf8 = (value) => native.isUTF8(view(value));
exports.isAscii = (value) => view(value).every((byte) => byte < 128);
Object.defineProperty(exports, 'atob', {enumerable: true, get: () => require('text').atob});
Object.defineProperty(exports, 'btoa', {enumerable: true, get: () => require('text').btoa});
refuse(exports, 'buffer.', ['Blob', 'File', 'resolveObjectURL', 'transcode']);

// What other modules of this folder use.
Object.defineProperty(exports, 'internal', {value: {named, known, view, isView, wrap}});
