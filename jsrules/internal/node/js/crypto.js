const {
	coded, invalidType, invalidValue, outOfRange, unavailable, refuse, number, integer, string,
	callable
} = require('errors');
const {Buffer, internal: {named, view, isView, wrap}} = require('buffer');

const expected = 'of type string or an instance of Buffer, TypedArray, or DataView';

// bytesOf returns the bytes of a text or of anything with bytes.
const bytesOf = (name, data, encoding) => {
	if (typeof data === 'string') {
		const known = typeof encoding === 'string' && encoding !== 'buffer' ? encoding : 'utf8';
		return wrap(native.decode(data, named(known)));
	}
	if (!isView(data)) throw invalidType(name, expected, data);
	return view(data);
};

// shown returns bytes as a Buffer, or as text if there is an encoding.
const shown = (bytes, encoding) => (
	encoding && encoding !== 'buffer' ? bytes.toString(encoding) : bytes
);

// later calls a callback after the rule's own code.
const later = (callback, values) => native.setImmediate(() => callback(...values));

const secretOf = (name, key) => {
	if (key instanceof KeyObject) return key.export();
	return bytesOf(name, key);
};

class Hash {
	#state;
	#result;
	constructor(state) { this.#state = state; }
	update(data, encoding) {
		if (this.#result) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
		this.#state.update(bytesOf('data', data, encoding));
		return this;
	}
	digest(encoding) {
		if (this.#result) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
		this.#result = wrap(this.#state.digest());
		return shown(this.#result, encoding);
	}
	copy() {
		if (this.#result) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
		return new Hash(this.#state.copy());
	}
	// Old code writes to a hash as to a stream.
	write(data, encoding) {
		this.update(data, encoding);
		return true;
	}
	end(data, encoding) {
		if (data !== undefined) this.update(data, encoding);
		this.digest();
		return this;
	}
	read() { return this.#result ? this.#result : null; }
}

class Hmac extends Hash {
	#finished = false;
	update(data, encoding) {
		if (this.#finished) throw coded(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
		return super.update(data, encoding);
	}
	// Unlike that of a hash, the second digest of an HMAC is empty.
	digest(encoding) {
		if (this.#finished) return shown(Buffer.alloc(0), encoding);
		this.#finished = true;
		return super.digest(encoding);
	}
	copy() { throw unavailable('a copy of an HMAC'); }
}

exports.createHash = (algorithm) => {
	string('algorithm', algorithm);
	return new Hash(native.hash(algorithm));
};
exports.createHmac = (algorithm, key) => {
	string('hmac', algorithm);
	if (key === null || key === undefined) {
		throw invalidType('key', expected + ' or KeyObject', key);
	}
	return new Hmac(native.hash(algorithm, secretOf('key', key)));
};
exports.getHashes = () => native.hashes();
exports.getCurves = () => ['prime256v1', 'secp224r1', 'secp384r1', 'secp521r1'];
exports.Hash = Hash;
exports.Hmac = Hmac;

// random bytes

exports.randomBytes = (size, callback) => {
	number('size', size);
	if (!(size >= 0 && size <= 2147483647)) {
		throw outOfRange('size', '>= 0 && <= 2147483647', size);
	}
	if (size > 65536) {
		throw coded(RangeError, 'ERR_OUT_OF_RANGE',
			'more than 65536 random bytes are not available here: randomBytes takes 0 to 65536');
	}
	if (callback !== undefined) callable('callback', callback);
	const made = wrap(native.random(size));
	if (!callback) return made;
	later(callback, [null, made]);
};
exports.pseudoRandomBytes = exports.randomBytes;
exports.prng = exports.randomBytes;
exports.rng = exports.randomBytes;
exports.randomFillSync = (buffer, offset = 0, size) => {
	if (!isView(buffer)) {
		throw invalidType('buf', 'an instance of ArrayBuffer or ArrayBufferView', buffer);
	}
	const width = buffer.BYTES_PER_ELEMENT || 1;
	const bytes = view(buffer);
	integer('offset', offset * width, 0, bytes.length);
	const count = size === undefined ? bytes.length - offset * width : size * width;
	integer('size', count, 0, bytes.length - offset * width);
	bytes.set(wrap(native.random(count)), offset * width);
	return buffer;
};
exports.randomFill = (buffer, offset, size, callback) => {
	const values = [offset, size, callback];
	const done = values.find((value) => typeof value === 'function');
	callable('callback', done);
	const [first, count] = values.slice(0, values.indexOf(done));
	exports.randomFillSync(buffer, first, count);
	later(done, [null, buffer]);
};
exports.getRandomValues = (array) => {
	if (!ArrayBuffer.isView(array)) {
		throw invalidType('typedArray', 'an instance of TypedArray', array);
	}
	return exports.randomFillSync(array);
};
exports.randomInt = (min, max, callback) => {
	if (max === undefined || typeof max === 'function') {
		callback = max;
		max = min;
		min = 0;
	}
	if (!Number.isSafeInteger(min)) throw invalidType('min', 'a safe integer', min);
	if (!Number.isSafeInteger(max)) throw invalidType('max', 'a safe integer', max);
	if (max <= min) throw outOfRange('max', 'greater than the value of "min" (' + min + ')', max);
	const range = max - min;
	if (range > 2 ** 48 - 1) throw outOfRange('max - min', '<= ' + (2 ** 48 - 1), range);
	const limit = 2 ** 48 - (2 ** 48 % range);
	let value;
	do {
		value = wrap(native.random(6)).readUIntBE(0, 6);
	} while (value >= limit);
	if (callback === undefined) return value % range + min;
	callable('callback', callback);
	later(callback, [undefined, value % range + min]);
};
exports.randomUUID = () => {
	const bytes = wrap(native.random(16));
	bytes[6] = bytes[6] & 0x0f | 0x40;
	bytes[8] = bytes[8] & 0x3f | 0x80;
	return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

exports.timingSafeEqual = (a, b) => {
	if (!isView(a)) {
		throw invalidType('buf1', 'an instance of ArrayBuffer, Buffer, TypedArray, or DataView', a);
	}
	if (!isView(b)) {
		throw invalidType('buf2', 'an instance of ArrayBuffer, Buffer, TypedArray, or DataView', b);
	}
	if (a.byteLength !== b.byteLength) {
		throw coded(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH',
			'Input buffers must have the same byte length');
	}
	return native.equal(view(a), view(b));
};

// keys made of others

exports.pbkdf2Sync = (password, salt, iterations, length, digest) => {
	if (typeof digest !== 'string') throw invalidType('digest', 'of type string', digest);
	const secret = bytesOf('password', password);
	const salted = bytesOf('salt', salt);
	integer('iterations', iterations, 1, 2147483647);
	integer('keylen', length, 0, 2147483647);
	return wrap(native.pbkdf2(secret, salted, iterations, length, digest));
};
exports.pbkdf2 = (password, salt, iterations, length, digest, callback) => {
	if (typeof digest === 'function') {
		callback = digest;
		digest = undefined;
	}
	const made = exports.pbkdf2Sync(password, salt, iterations, length, digest);
	callable('callback', callback);
	later(callback, [null, made]);
};
exports.hkdfSync = (digest, key, salt, info, length) => {
	string('digest', digest);
	integer('length', length, 0, 2147483647);
	return native.hkdf(digest, secretOf('key', key), bytesOf('salt', salt),
		bytesOf('info', info), length);
};
exports.hkdf = (digest, key, salt, info, length, callback) => {
	const made = exports.hkdfSync(digest, key, salt, info, length);
	callable('callback', callback);
	later(callback, [null, made]);
};

// keys

const noKey = (kind) => coded(Error, 'ERR_OSSL_UNSUPPORTED', 'the key is no ' + kind + ' key in PEM');

class KeyObject {
	#secret;
	#found;
	constructor(type, secret, found) {
		this.type = type;
		this.#secret = secret;
		this.#found = found;
		if (!found) {
			this.symmetricKeySize = secret.length;
			return;
		}
		this.asymmetricKeyType = found.kind;
		this.asymmetricKeyDetails = {};
		if (found.kind === 'rsa') this.asymmetricKeyDetails.modulusLength = found.bits;
		if (found.kind === 'ec') this.asymmetricKeyDetails.namedCurve = found.curve;
	}
	static keyIn(object) { return object.#found.key; }
	export(options = {}) {
		if (options.format === 'jwk') throw unavailable('a key as JWK');
		if (this.type === 'secret') return Buffer.from(this.#secret);
		if (options.passphrase !== undefined) throw unavailable('a key with a passphrase');
		const der = native.exportKey(this.#found.key, String(options.type));
		if (der === undefined) throw invalidValue('options.type', 'the key has no such form');
		if (options.format === 'der') return wrap(der);
		if (options.format !== 'pem') throw invalidValue('options.format', 'it is pem or der');
		const label = {
			spki: 'PUBLIC KEY', pkcs8: 'PRIVATE KEY', sec1: 'EC PRIVATE KEY',
			pkcs1: this.type === 'private' ? 'RSA PRIVATE KEY' : 'RSA PUBLIC KEY'
		}[options.type];
		const lines = wrap(der).toString('base64').match(/.{1,64}/g).join('\n');
		return '-----BEGIN ' + label + '-----\n' + lines + '\n-----END ' + label + '-----\n';
	}
	equals(other) {
		if (!(other instanceof KeyObject) || other.type !== this.type) return false;
		if (this.type === 'secret') return this.#secret.equals(other.#secret);
		const form = {format: 'der', type: this.type === 'public' ? 'spki' : 'pkcs8'};
		return this.export(form).equals(other.export(form));
	}
}

// keyOf reads a key: PEM, DER or a KeyObject, alone or as the property key of options.
const keyOf = (given, isPrivate) => {
	let key = given;
	const isOptions = typeof given === 'object' && given !== null && !isView(given) &&
		!(given instanceof KeyObject);
	if (isOptions) {
		if (given.format === 'jwk') throw unavailable('a key as JWK');
		key = given.key;
	}
	if (key instanceof KeyObject) {
		if (key.type === 'secret' || isPrivate && key.type !== 'private') {
			throw coded(TypeError, 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE',
				'Invalid key object type ' + key.type + '.');
		}
		return key;
	}
	if (typeof key !== 'string' && !isView(key)) {
		throw invalidType('key', expected + ' or KeyObject', key);
	}
	const found = native.key(bytesOf('key', key), isPrivate, isOptions && given.format === 'der');
	if (found === undefined) throw noKey(isPrivate ? 'private' : 'public');
	return new KeyObject(isPrivate ? 'private' : 'public', undefined, found);
};

exports.KeyObject = KeyObject;
exports.createSecretKey = (key, encoding) => {
	const secret = Buffer.from(bytesOf('key', key, encoding));
	return new KeyObject('secret', secret);
};
exports.createPrivateKey = (key) => keyOf(key, true);
exports.createPublicKey = (key) => {
	if (!(key instanceof KeyObject) || key.type !== 'private') return keyOf(key, false);
	return keyOf({key: key.export({format: 'der', type: 'pkcs8'}), format: 'der'}, false);
};

// signatures

const signing = (algorithm, data, key, signature) => {
	const isPrivate = signature === undefined;
	const object = keyOf(key, isPrivate);
	const options = typeof key === 'object' && key !== null && 'key' in key ? key : {};
	const ieee = options.dsaEncoding === 'ieee-p1363';
	if (options.dsaEncoding !== undefined && !ieee && options.dsaEncoding !== 'der') {
		throw invalidValue('options.dsaEncoding', 'it is der or ieee-p1363');
	}
	const padding = options.padding === undefined ? 1 : options.padding;
	if (padding !== 1 && padding !== 6) throw unavailable('this padding of signatures');
	if (object.asymmetricKeyType !== 'ed25519') string('algorithm', algorithm);
	const values = [algorithm, data, KeyObject.keyIn(object), padding, options.saltLength, ieee];
	return isPrivate ? wrap(native.sign(...values)) : native.verify(...values, signature);
};

class Signing {
	#algorithm;
	#parts = [];
	#size = 0;
	constructor(algorithm) {
		string('algorithm', algorithm);
		native.hash(algorithm); // it must exist
		this.#algorithm = algorithm;
	}
	update(data, encoding) {
		const bytes = Buffer.from(bytesOf('data', data, encoding));
		this.#size += bytes.length;
		if (this.#size > 2 ** 20) {
			throw coded(RangeError, 'ERR_OUT_OF_RANGE',
				'a signature of more than 1 MiB is not available here');
		}
		this.#parts.push(bytes);
		return this;
	}
	write(data, encoding) {
		this.update(data, encoding);
		return true;
	}
	end(data, encoding) {
		if (data !== undefined) this.update(data, encoding);
		return this;
	}
	static run(object, key, signature) {
		return signing(object.#algorithm, Buffer.concat(object.#parts), key, signature);
	}
}
class Sign extends Signing {
	sign(key, encoding) {
		if (!key) throw coded(Error, 'ERR_CRYPTO_SIGN_KEY_REQUIRED', 'No key provided to sign');
		return shown(Signing.run(this, key), encoding);
	}
}
class Verify extends Signing {
	verify(key, signature, encoding) {
		return Signing.run(this, key, bytesOf('signature', signature, encoding));
	}
}

exports.createSign = (algorithm) => new Sign(algorithm);
exports.createVerify = (algorithm) => new Verify(algorithm);
exports.Sign = Sign;
exports.Verify = Verify;
exports.sign = (algorithm, data, key, callback) => {
	const made = signing(algorithm, bytesOf('data', data), key);
	if (callback === undefined) return made;
	callable('callback', callback);
	later(callback, [null, made]);
};
exports.verify = (algorithm, data, key, signature, callback) => {
	const valid = signing(algorithm, bytesOf('data', data), key, bytesOf('signature', signature));
	if (callback === undefined) return valid;
	callable('callback', callback);
	later(callback, [null, valid]);
};

// ciphers

class Cipheriv {
	#state;
	#decoding;
	constructor(state) { this.#state = state; }
	update(data, inputEncoding, outputEncoding) {
		const result = wrap(this.#state.update(bytesOf('data', data, inputEncoding)));
		return this.#shown(result, outputEncoding, false);
	}
	final(outputEncoding) {
		return this.#shown(wrap(this.#state.final()), outputEncoding, true);
	}
	// Text in parts must not break a character, nor a group of base64 or hexadecimal digits.
	#shown(bytes, encoding, last) {
		if (!encoding || encoding === 'buffer') return bytes;
		const name = named(encoding);
		const all = this.#decoding ? Buffer.concat([this.#decoding, bytes]) : bytes;
		let whole = all.length;
		if (!last && (name === 'base64' || name === 'base64url')) whole -= whole % 3;
		if (!last && name === 'utf16le') whole -= whole % 2;
		if (!last && name === 'utf8') whole -= incomplete(all);
		this.#decoding = Buffer.from(all.subarray(whole));
		return all.subarray(0, whole).toString(name);
	}
	setAutoPadding(on = true) {
		this.#state.setAutoPadding(Boolean(on));
		return this;
	}
	setAAD(data) {
		this.#state.setAAD(bytesOf('buffer', data));
		return this;
	}
	getAuthTag() { return wrap(this.#state.getTag()); }
	setAuthTag(tag, encoding) {
		this.#state.setTag(bytesOf('buffer', tag, encoding));
		return this;
	}
}
class Decipheriv extends Cipheriv {}

// incomplete returns how many bytes at the end are the beginning of a character in UTF-8.
const incomplete = (bytes) => {
	for (let back = 1; back <= Math.min(3, bytes.length); back++) {
		const byte = bytes[bytes.length - back];
		if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
		if (byte < 0x80) return 0;
	}
	return 0;
};

const cipher = (Class, encrypt, algorithm, key, iv, options) => {
	string('cipher', algorithm);
	const info = native.cipherInfo(algorithm);
	if (info === undefined) {
		throw coded(Error, 'ERR_CRYPTO_UNKNOWN_CIPHER',
			'Unknown cipher: available here are ' + native.ciphers().join(', '));
	}
	const secret = secretOf('key', key);
	if (secret.length !== info.keyLength) {
		throw coded(RangeError, 'ERR_CRYPTO_INVALID_KEYLEN', 'Invalid key length');
	}
	const vector = iv === null ? Buffer.alloc(0) : bytesOf('iv', iv);
	if (info.mode === 'gcm' && vector.length > 0 && vector.length !== info.ivLength) {
		throw unavailable('GCM with an initialization vector that does not have 12 bytes');
	}
	if (vector.length !== info.ivLength) {
		throw coded(TypeError, 'ERR_CRYPTO_INVALID_IV', 'Invalid initialization vector');
	}
	const length = options && options.authTagLength;
	return new Class(native.cipher(algorithm, encrypt, secret, vector, length));
};

exports.createCipheriv = (algorithm, key, iv, options) => (
	cipher(Cipheriv, true, algorithm, key, iv, options));
exports.createDecipheriv = (algorithm, key, iv, options) => (
	cipher(Decipheriv, false, algorithm, key, iv, options));
exports.Cipheriv = Cipheriv;
exports.Decipheriv = Decipheriv;
exports.getCiphers = () => native.ciphers();
exports.getCipherInfo = (name) => {
	const info = native.cipherInfo(String(name));
	return info && Object.assign({name: String(name).toLowerCase()}, info);
};

// Node.js 20 still has createCipher. OpenSSL makes its key and vector of the password, with MD5.
const fromPassword = (Class, encrypt) => (algorithm, password, options) => {
	string('cipher', algorithm);
	const info = native.cipherInfo(algorithm);
	const size = info === undefined ? 0 : info.keyLength + info.ivLength;
	const secret = bytesOf('password', password);
	let made = Buffer.alloc(0);
	let block = made;
	while (made.length < size) {
		block = exports.createHash('md5').update(block).update(secret).digest();
		made = Buffer.concat([made, block]);
	}
	const key = made.subarray(0, info && info.keyLength);
	return cipher(Class, encrypt, algorithm, key, made.subarray(key.length, size), options);
};
exports.createCipher = fromPassword(Cipheriv, true);
exports.createDecipher = fromPassword(Decipheriv, false);

exports.constants = Object.freeze({
	RSA_PKCS1_PADDING: 1,
	RSA_NO_PADDING: 3,
	RSA_PKCS1_OAEP_PADDING: 4,
	RSA_X931_PADDING: 5,
	RSA_PKCS1_PSS_PADDING: 6,
	RSA_PSS_SALTLEN_DIGEST: -1,
	RSA_PSS_SALTLEN_MAX_SIGN: -2,
	RSA_PSS_SALTLEN_AUTO: -2,
	POINT_CONVERSION_COMPRESSED: 2,
	POINT_CONVERSION_UNCOMPRESSED: 4,
	POINT_CONVERSION_HYBRID: 6
});
exports.getFips = () => 0;

refuse(exports, 'crypto.', [
	'Certificate', 'DiffieHellman', 'DiffieHellmanGroup', 'ECDH', 'X509Certificate', 'checkPrime',
	'checkPrimeSync', 'createDiffieHellman', 'createDiffieHellmanGroup', 'createECDH',
	'diffieHellman', 'generateKey', 'generateKeyPair', 'generateKeyPairSync', 'generateKeySync',
	'generatePrime', 'generatePrimeSync', 'getDiffieHellman', 'privateDecrypt', 'privateEncrypt',
	'publicDecrypt', 'publicEncrypt', 'scrypt', 'scryptSync', 'secureHeapUsed', 'setEngine',
	'setFips'
]);
for (const name of ['subtle', 'webcrypto']) {
	Object.defineProperty(exports, name, {
		configurable: true,
		get() { throw unavailable('crypto.' + name); }
	});
}
