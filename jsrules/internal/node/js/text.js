const {coded, invalidType} = require('errors');
const {Buffer, internal: {view, isView, wrap}} = require('buffer');

class TextEncoder {
	get encoding() { return 'utf-8'; }
	encode(text = '') { return new Uint8Array(native.decode(String(text), 'utf8')); }
	encodeInto(text, target) {
		let read = 0;
		let written = 0;
		for (const character of String(text)) {
			const bytes = wrap(native.decode(character, 'utf8'));
			if (written + bytes.length > target.length) break;
			target.set(bytes, written);
			written += bytes.length;
			read += character.length;
		}
		return {read, written};
	}
}

const labels = {
	utf8: 'utf-8', 'utf-8': 'utf-8', 'unicode-1-1-utf-8': 'utf-8',
	'utf-16': 'utf-16le', 'utf-16le': 'utf-16le', ucs2: 'utf-16le', 'ucs-2': 'utf-16le'
};

class TextDecoder {
	constructor(label = 'utf-8', options = {}) {
		const name = String(label).trim().toLowerCase();
		if (!Object.hasOwn(labels, name)) {
			throw coded(RangeError, 'ERR_ENCODING_NOT_SUPPORTED',
				'this encoding is not available here: TextDecoder has utf-8 and utf-16le');
		}
		this.encoding = labels[name];
		this.fatal = Boolean(options.fatal);
		this.ignoreBOM = Boolean(options.ignoreBOM);
	}
	decode(input, options) {
		if (options && options.stream) {
			throw coded(Error, 'ERR_NOT_AVAILABLE', 'TextDecoder of a stream is not available here');
		}
		if (input === undefined) return '';
		if (!isView(input)) {
			throw invalidType('list', 'an instance of ArrayBuffer or ArrayBufferView', input);
		}
		const bytes = view(input);
		const wide = this.encoding === 'utf-16le';
		let text = native.encode(bytes, wide ? 'utf16le' : 'utf8');
		const odd = wide && bytes.length % 2 === 1;
		// Half a character and half of a surrogate pair at the end are one error.
		if (odd) text = text.replace(/[\ud800-\udbff]$/, '') + '\ufffd';
		if (wide) text = text.toWellFormed ? text.toWellFormed() : Buffer.from(text).toString();
		if (this.fatal && (wide ? odd || text.includes('\ufffd') : !native.isUTF8(bytes))) {
			throw coded(TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA',
				'The encoded data was not valid for encoding ' + this.encoding);
		}
		return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
	}
}

// invalid is the error of atob and btoa, a DOMException in Node.js.
const invalid = (message) => {
	const error = new Error(message);
	error.name = 'InvalidCharacterError';
	error.code = 5;
	return error;
};

exports.TextEncoder = TextEncoder;
exports.TextDecoder = TextDecoder;
exports.btoa = (value) => {
	const text = String(value);
	for (let i = 0; i < text.length; i++) {
		if (text.charCodeAt(i) > 255) throw invalid('Invalid character');
	}
	return Buffer.from(text, 'latin1').toString('base64');
};
exports.atob = (value) => {
	let text = '';
	let padding = 0;
	for (const character of String(value)) {
		if (' \t\n\f\r'.includes(character)) continue;
		if (character === '=') padding++;
		else if (padding > 0 || !/[A-Za-z0-9+/]/.test(character)) {
			throw invalid('The string to be decoded is not correctly encoded.');
		} else text += character;
	}
	if (text.length % 4 === 1 || padding > 0 && (text.length + padding) % 4 !== 0 || padding > 2) {
		throw invalid('The string to be decoded is not correctly encoded.');
	}
	return Buffer.from(text, 'base64').toString('latin1');
};
