// The npm package jsonwebtoken, as of version 9, with the options of versions 0 to 5 that old rules
// use: expiresInMinutes, expiresInSeconds and headers. The algorithm "none" does not exist here.
const {unavailable} = require('errors');
const {Buffer} = require('buffer');
const crypto = require('crypto');

class JsonWebTokenError extends Error {
	constructor(message, inner) {
		super(message);
		if (inner) this.inner = inner;
	}
}
class TokenExpiredError extends JsonWebTokenError {
	constructor(message, expiredAt) {
		super(message);
		this.expiredAt = expiredAt;
	}
}
class NotBeforeError extends JsonWebTokenError {
	constructor(message, date) {
		super(message);
		this.date = date;
	}
}
for (const Class of [JsonWebTokenError, TokenExpiredError, NotBeforeError]) {
	Object.defineProperty(Class.prototype, 'name', {
		value: Class.name, writable: true, configurable: true
	});
}

const hashes = {256: 'sha256', 384: 'sha384', 512: 'sha512'};
const curves = {ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1'};
const sizes = ['256', '384', '512'];
const family = (...kinds) => kinds.flatMap((kind) => sizes.map((size) => kind + size));
const supported = family('RS', 'PS', 'ES', 'HS');

// fits refuses a key that is not of the kind that an algorithm needs.
const fits = (algorithm, key) => {
	const kind = key.asymmetricKeyType;
	if (!kind) return;
	if (kind !== 'rsa' && kind !== 'ec') throw new Error('Unknown key type "' + kind + '".');
	const allowed = kind === 'ec' ? family('ES') :
		['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512'];
	if (!allowed.includes(algorithm)) {
		throw new Error('"alg" parameter for "' + kind + '" key type must be one of: ' +
			allowed.join(', ') + '.');
	}
	const curve = curves[algorithm];
	if (kind === 'ec' && key.asymmetricKeyDetails.namedCurve !== curve) {
		throw new Error('"alg" parameter "' + algorithm + '" requires curve "' + curve + '".');
	}
};

const keyOptions = (algorithm, key) => {
	if (algorithm.startsWith('PS')) {
		return {
			key,
			padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
			saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST
		};
	}
	return algorithm.startsWith('ES') ? {key, dsaEncoding: 'ieee-p1363'} : {key};
};

const signatureOf = (algorithm, input, key) => {
	const hash = hashes[algorithm.slice(2)];
	if (algorithm.startsWith('HS')) {
		return crypto.createHmac(hash, key).update(input).digest('base64url');
	}
	return crypto.sign(hash, Buffer.from(input), keyOptions(algorithm, key)).toString('base64url');
};

const isRight = (algorithm, input, key, signature) => {
	if (algorithm.startsWith('HS')) {
		const made = Buffer.from(signatureOf(algorithm, input, key));
		const given = Buffer.from(signature);
		return made.length === given.length && crypto.timingSafeEqual(made, given);
	}
	const hash = hashes[algorithm.slice(2)];
	const size = {ES256: 64, ES384: 96, ES512: 132}[algorithm];
	const length = Buffer.from(signature, 'base64url').length;
	if (size !== undefined && length !== size) {
		throw new TypeError('"' + algorithm + '" signatures must be "' + size + '" bytes, saw "' +
			length + '"');
	}
	return crypto.verify(hash, Buffer.from(input), keyOptions(algorithm, key),
		Buffer.from(signature, 'base64url'));
};

// Time spans, as the npm package ms reads them.
const span = /^(-?(?:\d+)?\.?\d+) *(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?$/i;
const units = [
	['ms', /^(?:milliseconds?|msecs?|ms)$/, 1],
	['s', /^(?:seconds?|secs?|s)$/, 1000],
	['m', /^(?:minutes?|mins?|m)$/, 60000],
	['h', /^(?:hours?|hrs?|h)$/, 3600000],
	['d', /^(?:days?|d)$/, 86400000],
	['w', /^(?:weeks?|w)$/, 604800000],
	['y', /^(?:years?|yrs?|y)$/, 31557600000]
];
const milliseconds = (text) => {
	if (text.length === 0) throw new Error('val is not a non-empty string or a valid number.');
	const found = text.length > 100 ? null : span.exec(text);
	if (!found) return undefined;
	const name = (found[2] || 'ms').toLowerCase();
	return parseFloat(found[1]) * units.find((unit) => unit[1].test(name))[2];
};

// moment returns the time after a span, in seconds, or undefined if it is none.
const moment = (time, begin) => {
	const from = begin || Math.floor(Date.now() / 1000);
	if (typeof time === 'number') return from + time;
	if (typeof time !== 'string') return undefined;
	const found = milliseconds(time);
	return found === undefined ? undefined : Math.floor(from + found / 1000);
};

const isText = (value) => typeof value === 'string' || value instanceof String;
const isFlag = (value) => typeof value === 'boolean' || value instanceof Boolean;
const isSpan = (value) => Number.isInteger(value) || isText(value) && Boolean(String(value));
const isPlain = (value) => {
	if (typeof value !== 'object' || value === null) return false;
	if (Object.prototype.toString.call(value) !== '[object Object]') return false;
	const prototype = Object.getPrototypeOf(value);
	return prototype === null || prototype.constructor === Object;
};
const isNumber = (value) => typeof value === 'number' || value instanceof Number;

const spanText = 'should be a number of seconds or string representing a timespan';
const optionRules = {
	expiresIn: [isSpan, '"expiresIn" ' + spanText],
	notBefore: [isSpan, '"notBefore" ' + spanText],
	audience: [(v) => isText(v) || Array.isArray(v), '"audience" must be a string or array'],
	algorithm: [(v) => supported.includes(v), '"algorithm" must be a valid string enum value'],
	header: [isPlain, '"header" must be an object'],
	encoding: [isText, '"encoding" must be a string'],
	issuer: [isText, '"issuer" must be a string'],
	subject: [isText, '"subject" must be a string'],
	jwtid: [isText, '"jwtid" must be a string'],
	noTimestamp: [isFlag, '"noTimestamp" must be a boolean'],
	keyid: [isText, '"keyid" must be a string'],
	mutatePayload: [isFlag, '"mutatePayload" must be a boolean'],
	allowInsecureKeySizes: [isFlag, '"allowInsecureKeySizes" must be a boolean'],
	allowInvalidAsymmetricKeyTypes: [
		isFlag, '"allowInvalidAsymmetricKeyTypes" must be a boolean'
	]
};
const claimRules = {
	iat: [isNumber, '"iat" should be a number of seconds'],
	exp: [isNumber, '"exp" should be a number of seconds'],
	nbf: [isNumber, '"nbf" should be a number of seconds']
};

const check = (rules, object, name, allowUnknown) => {
	if (!isPlain(object)) throw new Error('Expected "' + name + '" to be a plain object.');
	for (const key of Object.keys(object)) {
		if (!Object.hasOwn(rules, key)) {
			if (allowUnknown) continue;
			throw new Error('"' + key + '" is not allowed in "' + name + '"');
		}
		if (!rules[key][0](object[key])) throw new Error(rules[key][1]);
	}
};

const ofClaims = {audience: 'aud', issuer: 'iss', subject: 'sub', jwtid: 'jti'};
const ofObjects = ['expiresIn', 'notBefore', 'noTimestamp', 'audience', 'issuer', 'subject', 'jwtid'];

// modern turns the options of old versions into those of today.
const modern = (options) => {
	const {expiresInMinutes, expiresInSeconds, headers, ...rest} = options;
	if (expiresInMinutes) rest.expiresIn = Math.floor(expiresInMinutes * 60);
	else if (expiresInSeconds) rest.expiresIn = Math.floor(expiresInSeconds);
	if (headers) rest.header = {...headers, ...rest.header};
	for (const name of Object.keys(rest)) {
		// In old versions an option that is undefined is none.
		if (rest[name] === undefined) delete rest[name];
	}
	return rest;
};

const signingKey = (given) => {
	if (given instanceof crypto.KeyObject) return given;
	try {
		return crypto.createPrivateKey(given);
	} catch (e) {
		if (e.code === 'ERR_NOT_AVAILABLE') throw e;
	}
	try {
		return crypto.createSecretKey(typeof given === 'string' ? Buffer.from(given) : given);
	} catch (e) {
		throw new Error('secretOrPrivateKey is not valid key material');
	}
};

const signToken = (given, secretOrPrivateKey, options) => {
	const isObject = typeof given === 'object' && !Buffer.isBuffer(given);
	const header = {
		alg: options.algorithm || 'HS256',
		typ: isObject ? 'JWT' : undefined,
		kid: options.keyid,
		...options.header
	};
	if (header.alg === 'none') throw unavailable('the algorithm none');
	if (!secretOrPrivateKey) throw new Error('secretOrPrivateKey must have a value');
	const key = signingKey(secretOrPrivateKey);
	const alg = String(header.alg);
	if (alg.startsWith('HS') && key.type !== 'secret') {
		throw new Error('secretOrPrivateKey must be a symmetric key when using ' + alg);
	}
	if (/^(?:RS|PS|ES)/.test(alg)) {
		if (key.type !== 'private') {
			throw new Error('secretOrPrivateKey must be an asymmetric key when using ' + alg);
		}
		if (!options.allowInsecureKeySizes && !alg.startsWith('ES') &&
			key.asymmetricKeyDetails.modulusLength < 2048) {
			throw new Error('secretOrPrivateKey has a minimum key size of 2048 bits for ' + alg);
		}
	}
	if (given === undefined) throw new Error('payload is required');
	let payload = given;
	if (isObject) {
		check(claimRules, payload, 'payload', true);
		if (!options.mutatePayload) payload = Object.assign({}, payload);
	} else {
		const invalid = ofObjects.filter((name) => options[name] !== undefined);
		if (invalid.length > 0) {
			throw new Error('invalid ' + invalid.join(',') + ' option for ' + typeof payload +
				' payload');
		}
	}
	if (payload.exp !== undefined && options.expiresIn !== undefined) {
		throw new Error(
			'Bad "options.expiresIn" option the payload already has an "exp" property.');
	}
	if (payload.nbf !== undefined && options.notBefore !== undefined) {
		throw new Error(
			'Bad "options.notBefore" option the payload already has an "nbf" property.');
	}
	check(optionRules, options, 'options', false);
	if (!options.allowInvalidAsymmetricKeyTypes) fits(alg, key);
	if (!supported.includes(alg)) throw new TypeError('"' + alg.slice(0, 20) +
		'" is not a valid algorithm');
	const timestamp = payload.iat || Math.floor(Date.now() / 1000);
	if (options.noTimestamp) delete payload.iat;
	else if (isObject) payload.iat = timestamp;
	for (const [name, claim] of [['notBefore', 'nbf'], ['expiresIn', 'exp']]) {
		if (options[name] === undefined) continue;
		payload[claim] = moment(options[name], timestamp);
		if (payload[claim] === undefined) {
			throw new Error('"' + name + '" ' + spanText + ' eg: "1d", "20h", 60');
		}
	}
	for (const name of Object.keys(ofClaims)) {
		const claim = ofClaims[name];
		if (options[name] === undefined) continue;
		if (payload[claim] !== undefined) {
			throw new Error('Bad "options.' + name + '" option. The payload already has an "' +
				claim + '" property.');
		}
		payload[claim] = options[name];
	}
	const body = isObject ? JSON.stringify(payload) : payload;
	const encoding = options.encoding || 'utf8';
	const bytes = typeof body === 'string' ? Buffer.from(body, encoding) :
		Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body), encoding);
	const input = Buffer.from(JSON.stringify(header)).toString('base64url') + '.' +
		bytes.toString('base64url');
	return input + '.' + signatureOf(alg, input, key);
};

exports.sign = (payload, secretOrPrivateKey, options, callback) => {
	let done = callback;
	let given = options;
	if (typeof options === 'function') {
		done = options;
		given = {};
	}
	if (typeof done !== 'function') return signToken(payload, secretOrPrivateKey, modern(given || {}));
	let token;
	try {
		token = signToken(payload, secretOrPrivateKey, modern(given || {}));
	} catch (error) {
		return done(error);
	}
	native.setImmediate(() => done(null, token));
};

// parse splits a token. It returns null for what is none.
const parse = (token) => {
	const text = Buffer.isBuffer(token) ? token.toString() : String(token);
	const parts = text.split('.');
	const isPart = (part) => /^[a-zA-Z0-9\-_]*$/.test(part);
	if (parts.length !== 3 || !parts[0] || !parts[1] || !parts.every(isPart)) return null;
	let header;
	try {
		header = JSON.parse(Buffer.from(parts[0], 'base64url').toString());
	} catch (e) {
		return null;
	}
	if (header === null || typeof header !== 'object') return null;
	let payload = Buffer.from(parts[1], 'base64url').toString();
	try {
		const object = JSON.parse(payload);
		if (header.typ === 'JWT' || object !== null && typeof object === 'object') payload = object;
	} catch (e) {
		if (header.typ === 'JWT') throw new SyntaxError('the payload of the token is not JSON');
	}
	return {header, payload, signature: parts[2], input: parts[0] + '.' + parts[1]};
};

exports.decode = (token, options) => {
	const found = parse(token);
	if (!found) return null;
	const {header, payload, signature} = found;
	return options && options.complete === true ? {header, payload, signature} : payload;
};

// verifyingKey reads a key: what is PEM is a public key, and all else a secret. PEM that cannot be
// read must not count as a secret, because everybody may know it.
const verifyingKey = (given) => {
	if (given instanceof crypto.KeyObject) return given;
	try {
		return crypto.createPublicKey(given);
	} catch (e) {
		if (e.code === 'ERR_NOT_AVAILABLE') throw e;
	}
	try {
		const bytes = Buffer.from(given.key === undefined ? given : given.key);
		if (bytes.includes('-----BEGIN')) throw new Error('this is PEM');
		return crypto.createSecretKey(typeof given === 'string' ? Buffer.from(given) : given);
	} catch (e) {
		throw new JsonWebTokenError('secretOrPublicKey is not valid key material');
	}
};

const algorithmsFor = (key) => {
	if (key.type === 'secret') return family('HS');
	if (key.asymmetricKeyType === 'rsa') return family('RS', 'PS');
	return key.asymmetricKeyType === 'ec' ? family('ES') : family('RS', 'PS');
};

const checkClaims = (payload, options, now) => {
	const tolerance = options.clockTolerance || 0;
	if (payload.nbf !== undefined && !options.ignoreNotBefore) {
		if (typeof payload.nbf !== 'number') throw new JsonWebTokenError('invalid nbf value');
		if (payload.nbf > now + tolerance) {
			throw new NotBeforeError('jwt not active', new Date(payload.nbf * 1000));
		}
	}
	if (payload.exp !== undefined && !options.ignoreExpiration) {
		if (typeof payload.exp !== 'number') throw new JsonWebTokenError('invalid exp value');
		if (now >= payload.exp + tolerance) {
			throw new TokenExpiredError('jwt expired', new Date(payload.exp * 1000));
		}
	}
	if (options.audience) {
		const wanted = Array.isArray(options.audience) ? options.audience : [options.audience];
		const given = Array.isArray(payload.aud) ? payload.aud : [payload.aud];
		const matches = (want, audience) => (
			want instanceof RegExp ? want.test(audience) : want === audience);
		if (!given.some((audience) => wanted.some((want) => matches(want, audience)))) {
			throw new JsonWebTokenError('jwt audience invalid. expected: ' + wanted.join(' or '));
		}
	}
	if (options.issuer) {
		const wrong = typeof options.issuer === 'string' && payload.iss !== options.issuer ||
			Array.isArray(options.issuer) && !options.issuer.includes(payload.iss);
		if (wrong) throw new JsonWebTokenError('jwt issuer invalid. expected: ' + options.issuer);
	}
	for (const [name, claim] of [['subject', 'sub'], ['jwtid', 'jti'], ['nonce', 'nonce']]) {
		if (options[name] && payload[claim] !== options[name]) {
			throw new JsonWebTokenError('jwt ' + name + ' invalid. expected: ' + options[name]);
		}
	}
	if (options.maxAge) {
		if (typeof payload.iat !== 'number') {
			throw new JsonWebTokenError('iat required when maxAge is specified');
		}
		const end = moment(options.maxAge, payload.iat);
		if (end === undefined) {
			throw new JsonWebTokenError('"maxAge" ' + spanText + ' eg: "1d", "20h", 60');
		}
		if (now >= end + tolerance) {
			throw new TokenExpiredError('maxAge exceeded', new Date(end * 1000));
		}
	}
};

// verifyWith checks a token with a key.
const verifyWith = (token, secretOrPublicKey, options, now) => {
	const hasSignature = token.signature !== '';
	if (!hasSignature && secretOrPublicKey) throw new JsonWebTokenError('jwt signature is required');
	if (hasSignature && !secretOrPublicKey) {
		throw new JsonWebTokenError('secret or public key must be provided');
	}
	if (!hasSignature && !options.algorithms) {
		throw new JsonWebTokenError(
			'please specify "none" in "algorithms" to verify unsigned tokens');
	}
	if (!hasSignature) throw unavailable('the algorithm none');
	const key = verifyingKey(secretOrPublicKey);
	const {alg} = token.header;
	const algorithms = options.algorithms || algorithmsFor(key);
	if (!algorithms.includes(alg)) throw new JsonWebTokenError('invalid algorithm');
	if (!supported.includes(alg)) throw unavailable('the algorithm of this token');
	if (alg.startsWith('HS') && key.type !== 'secret') {
		throw new JsonWebTokenError('secretOrPublicKey must be a symmetric key when using ' + alg);
	}
	if (!alg.startsWith('HS') && key.type !== 'public') {
		throw new JsonWebTokenError('secretOrPublicKey must be an asymmetric key when using ' + alg);
	}
	if (!options.allowInvalidAsymmetricKeyTypes) fits(alg, key);
	if (!isRight(alg, token.input, key, token.signature)) {
		throw new JsonWebTokenError('invalid signature');
	}
	checkClaims(token.payload, options, now);
	const {header, payload, signature} = token;
	return options.complete === true ? {header, payload, signature} : payload;
};

// readToken checks the arguments of verify, and splits the token.
const readToken = (text, options) => {
	if (options.clockTimestamp && typeof options.clockTimestamp !== 'number') {
		throw new JsonWebTokenError('clockTimestamp must be a number');
	}
	// The npm package would append a text to the time of expiry, and would not check an issuer of
	// another type. The token then never expires, or is accepted from any issuer.
	if (options.clockTolerance && typeof options.clockTolerance !== 'number') {
		throw new JsonWebTokenError('clockTolerance must be a number');
	}
	if (options.issuer && typeof options.issuer !== 'string' && !Array.isArray(options.issuer)) {
		throw new JsonWebTokenError('issuer must be a string or an array');
	}
	if (options.nonce !== undefined &&
		(typeof options.nonce !== 'string' || options.nonce.trim() === '')) {
		throw new JsonWebTokenError('nonce must be a non-empty string');
	}
	if (options.allowInvalidAsymmetricKeyTypes !== undefined &&
		typeof options.allowInvalidAsymmetricKeyTypes !== 'boolean') {
		throw new JsonWebTokenError('allowInvalidAsymmetricKeyTypes must be a boolean');
	}
	if (!text) throw new JsonWebTokenError('jwt must be provided');
	if (typeof text !== 'string') throw new JsonWebTokenError('jwt must be a string');
	if (text.split('.').length !== 3) throw new JsonWebTokenError('jwt malformed');
	const token = parse(text);
	if (!token) throw new JsonWebTokenError('invalid token');
	return token;
};

exports.verify = (text, secretOrPublicKey, options, callback) => {
	let done = callback;
	let given = options;
	if (typeof options === 'function' && !callback) {
		done = options;
		given = {};
	}
	given = Object.assign({}, given);
	const now = given.clockTimestamp || Math.floor(Date.now() / 1000);
	if (!done) {
		const token = readToken(text, given);
		if (typeof secretOrPublicKey === 'function') {
			throw new JsonWebTokenError('verify must be called asynchronous if secret or public ' +
				'key is provided as a callback');
		}
		return verifyWith(token, secretOrPublicKey, given, now);
	}
	// The callback is called outside of try, so that an error of its own does not call it again.
	const attempt = (f) => {
		try {
			return [null, f()];
		} catch (error) {
			return [error];
		}
	};
	const [failure, token] = attempt(() => readToken(text, given));
	if (failure) return done(failure);
	const finish = (key) => done(...attempt(() => verifyWith(token, key, given, now)));
	if (typeof secretOrPublicKey !== 'function') return finish(secretOrPublicKey);
	return secretOrPublicKey(token.header, (error, key) => {
		if (!error) return finish(key);
		return done(new JsonWebTokenError(
			'error in secret or public key callback: ' + error.message));
	});
};

exports.JsonWebTokenError = JsonWebTokenError;
exports.NotBeforeError = NotBeforeError;
exports.TokenExpiredError = TokenExpiredError;
