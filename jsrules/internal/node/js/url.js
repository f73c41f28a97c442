const {coded, invalidType, refuse, unavailable} = require('errors');
const querystring = require('querystring');

// wellFormed replaces halves of surrogate pairs, as every function of the URL Standard does.
const wellFormed = (value) => {
	const text = String(value);
	return text.isWellFormed && text.isWellFormed() ? text : native.wellFormed(text);
};

const escapeForm = (text) => encodeURIComponent(text).replace(/%20|[!'()~]/g, (c) => (
	c === '%20' ? '+' : '%' + c.charCodeAt(0).toString(16).toUpperCase()));

const missing = (names) => coded(TypeError, 'ERR_MISSING_ARGS',
	'The ' + names + ' must be specified');

class URLSearchParams {
	#list = [];
	#changed;
	constructor(init) {
		if (init === undefined || init === null) return;
		if (typeof init !== 'object' && typeof init !== 'function') {
			this.#read(wellFormed(init));
			return;
		}
		const iterate = init[Symbol.iterator];
		if (iterate === undefined || iterate === null) {
			for (const name of Reflect.ownKeys(init)) {
				if (!Object.prototype.propertyIsEnumerable.call(init, name)) continue;
				this.append(name, init[name]);
			}
			return;
		}
		if (typeof iterate !== 'function') {
			throw coded(TypeError, 'ERR_ARG_NOT_ITERABLE', 'Query pairs must be iterable');
		}
		for (const pair of init) {
			const isPair = pair !== null && typeof pair === 'object' && pair[Symbol.iterator];
			const values = isPair ? [...pair] : [];
			if (values.length !== 2) {
				throw coded(TypeError, 'ERR_INVALID_TUPLE',
					'Each query pair must be an iterable [name, value] tuple');
			}
			this.append(values[0], values[1]);
		}
	}
	#read(text) {
		const parts = native.parseForm(text.startsWith('?') ? text.slice(1) : text);
		this.#list = [];
		for (let i = 0; i < parts.length; i += 2) this.#list.push([parts[i], parts[i + 1]]);
	}
	#update() { if (this.#changed) this.#changed(this.toString()); }
	// of makes the parameters of a URL, which change with it.
	static of(search, changed) {
		const made = new URLSearchParams(search);
		made.#changed = changed;
		return made;
	}
	static renew(params, search) { params.#read(search); }
	get size() { return this.#list.length; }
	append(name, value) {
		if (arguments.length < 2) throw missing('"name" and "value" arguments');
		this.#list.push([wellFormed(name), wellFormed(value)]);
		this.#update();
	}
	delete(name, value) {
		if (arguments.length < 1) throw missing('"name" argument');
		const key = wellFormed(name);
		this.#list = this.#list.filter((pair) => (
			pair[0] !== key || value !== undefined && pair[1] !== wellFormed(value)));
		this.#update();
	}
	get(name) {
		if (arguments.length < 1) throw missing('"name" argument');
		const key = wellFormed(name);
		const found = this.#list.find((pair) => pair[0] === key);
		return found ? found[1] : null;
	}
	getAll(name) {
		if (arguments.length < 1) throw missing('"name" argument');
		const key = wellFormed(name);
		return this.#list.filter((pair) => pair[0] === key).map((pair) => pair[1]);
	}
	has(name, value) {
		if (arguments.length < 1) throw missing('"name" argument');
		const key = wellFormed(name);
		return this.#list.some((pair) => (
			pair[0] === key && (value === undefined || pair[1] === wellFormed(value))));
	}
	set(name, value) {
		if (arguments.length < 2) throw missing('"name" and "value" arguments');
		const key = wellFormed(name);
		const at = this.#list.findIndex((pair) => pair[0] === key);
		if (at < 0) {
			this.#list.push([key, wellFormed(value)]);
		} else {
			this.#list = this.#list.filter((pair, i) => i <= at || pair[0] !== key);
			this.#list[at] = [key, wellFormed(value)];
		}
		this.#update();
	}
	sort() {
		this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
		this.#update();
	}
	forEach(callback, self) {
		if (typeof callback !== 'function') {
			throw invalidType('callback', 'of type function', callback);
		}
		for (const [name, value] of this.#list) callback.call(self, value, name, this);
	}
	* entries() { for (const [name, value] of this.#list) yield [name, value]; }
	* keys() { for (const [name] of this.#list) yield name; }
	* values() { for (const [, value] of this.#list) yield value; }
	toString() {
		return this.#list.map(([name, value]) => escapeForm(name) + '=' + escapeForm(value))
			.join('&');
	}
	get [Symbol.toStringTag]() { return 'URLSearchParams'; }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
	value: URLSearchParams.prototype.entries, writable: true, configurable: true
});

const schemes = {'ftp:': 1, 'http:': 1, 'https:': 1, 'ws:': 1, 'wss:': 1};

class URL {
	#parts;
	#params;
	constructor(input, base) {
		if (arguments.length === 0) throw missing('"url" argument');
		const text = wellFormed(input);
		this.#parts = base === undefined ? native.parseURL(text) :
			native.parseURL(text, wellFormed(base));
		if (!this.#parts) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL');
	}
	static canParse(input, base) {
		if (arguments.length === 0) throw missing('"url" argument');
		const text = wellFormed(input);
		return Boolean(base === undefined ? native.parseURL(text) :
			native.parseURL(text, wellFormed(base)));
	}
	#change(part, value) {
		this.#parts = native.changeURL(this.#parts.href, part, wellFormed(value));
		if (this.#params) URLSearchParams.renew(this.#params, this.#parts.search);
	}
	get href() { return this.#parts.href; }
	set href(value) {
		const parts = native.parseURL(wellFormed(value));
		if (!parts) throw coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL');
		this.#parts = parts;
		if (this.#params) URLSearchParams.renew(this.#params, parts.search);
	}
	get origin() {
		const {protocol, host, pathname} = this.#parts;
		if (schemes[protocol]) return protocol + '//' + host;
		if (protocol !== 'blob:') return 'null';
		const inner = native.parseURL(pathname);
		return inner && (inner.protocol === 'http:' || inner.protocol === 'https:') ?
			inner.protocol + '//' + inner.host : 'null';
	}
	get searchParams() {
		if (!this.#params) {
			this.#params = URLSearchParams.of(this.#parts.search, (text) => {
				this.#parts = native.changeURL(this.#parts.href, 'search', text);
			});
		}
		return this.#params;
	}
	static write(url, part, value) { url.#change(part, value); }
	static read(url, part) { return url.#parts[part]; }
	toString() { return this.#parts.href; }
	toJSON() { return this.#parts.href; }
	get [Symbol.toStringTag]() { return 'URL'; }
}
{
	const {read, write} = URL;
	delete URL.read;
	delete URL.write;
	for (const part of ['protocol', 'username', 'password', 'host', 'hostname', 'port',
		'pathname', 'search', 'hash']) {
		Object.defineProperty(URL.prototype, part, {
			enumerable: true,
			configurable: true,
			get() { return read(this, part); },
			set(value) { write(this, part, value); }
		});
	}
	for (const name of ['href', 'origin', 'searchParams', 'toString', 'toJSON']) {
		Object.defineProperty(URL.prototype, name, {enumerable: true});
	}
}

// The older functions, which are not those of the URL Standard.

function Url() {
	for (const name of ['protocol', 'slashes', 'auth', 'host', 'port', 'hostname', 'hash', 'search',
		'query', 'pathname', 'path', 'href']) {
		this[name] = null;
	}
}

const slashed = {http: 1, https: 1, ftp: 1, gopher: 1, file: 1, ws: 1, wss: 1};
const hostless = {javascript: 1};
const named = (set, protocol) => Object.hasOwn(set, String(protocol).replace(/:$/, ''));

const escapes = {};
for (const c of '\t\n\r "<>\\^`{|}\'') {
	escapes[c] = '%' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
}
const escapeRest = (text) => Array.from(text, (c) => escapes[c] || c).join('');

const invalid = () => coded(TypeError, 'ERR_INVALID_URL', 'Invalid URL');

// hostEnd returns where the authority ends, after user and password.
const hostEnd = (rest) => {
	let end = rest.length;
	let at = -1;
	let stop = -1;
	for (let i = 0; i < rest.length; i++) {
		const c = rest[i];
		if ('\t\n\r "%\';<>\\^`{|}'.includes(c)) {
			if (stop < 0) stop = i;
		} else if ('#/?'.includes(c)) {
			if (stop < 0) stop = i;
			end = i;
			break;
		} else if (c === '@') {
			at = i;
			stop = -1;
		}
	}
	return {at, stop: stop < 0 ? end : stop};
};

const forbidden = /[\0\t\n\r #%/:<>?@[\\\]^|]/;

Url.prototype.parse = function (url, parseQuery, slashesDenoteHost) {
	if (typeof url !== 'string') throw invalidType('url', 'of type string', url);
	let source = url.trim().replace(/^[\s\ufeff]+|[\s\ufeff]+$/g, '');
	// Before the query, a backslash is a slash.
	const query = source.search(/[?#]/);
	const head = query < 0 ? source : source.slice(0, query);
	source = head.split('\\').join('/') + (query < 0 ? '' : source.slice(query));
	let rest = source;
	if (!slashesDenoteHost && !source.includes('#') && !source.includes('@')) {
		const simple = /^(\/\/?(?!\/)[^?\s]*)(\?[^\s]*)?$/.exec(rest);
		if (simple) {
			this.path = rest;
			this.href = rest;
			this.pathname = simple[1];
			if (simple[2]) {
				this.search = simple[2];
				this.query = parseQuery ? querystring.parse(simple[2].slice(1)) : simple[2].slice(1);
			} else if (parseQuery) {
				this.search = null;
				this.query = Object.create(null);
			}
			return this;
		}
	}
	let lower = '';
	const scheme = /^[a-z0-9.+-]+:/i.exec(rest);
	if (scheme) {
		lower = scheme[0].toLowerCase();
		this.protocol = lower;
		rest = rest.slice(scheme[0].length);
	}
	let slashes = false;
	if (slashesDenoteHost || scheme || /^\/\/[^@/]+@[^@/]+/.test(rest)) {
		slashes = rest.startsWith('//');
		if (slashes && !(lower && named(hostless, lower))) {
			rest = rest.slice(2);
			this.slashes = true;
		}
	}
	if (!named(hostless, lower) && (slashes || scheme && !named(slashed, lower))) {
		rest = this.readHost(rest);
	}
	if (!named(hostless, lower)) rest = escapeRest(rest);
	this.readRest(rest, parseQuery);
	if (named(slashed, lower) && lower && this.hostname && !this.pathname) this.pathname = '/';
	if (this.pathname !== null || this.search !== null) {
		this.path = (this.pathname || '') + (this.search || '');
	}
	this.href = this.format();
	return this;
};

// readHost reads user, password and host, and returns what follows.
Url.prototype.readHost = function (rest) {
	const {at, stop} = hostEnd(rest);
	let begin = 0;
	if (at >= 0) {
		this.auth = decodeURIComponent(rest.slice(0, at));
		begin = at + 1;
	}
	this.host = rest.slice(begin, stop);
	let after = rest.slice(stop);
	const port = /:([0-9]*)$/.exec(this.host);
	let hostname = this.host;
	if (port) {
		if (port[1] !== '') this.port = port[1];
		hostname = hostname.slice(0, -port[0].length);
	}
	const isIPv6 = hostname.startsWith('[') && hostname.endsWith(']');
	if (isIPv6 && /[\0\t\n\r #%/<>?@\\^|]/.test(hostname.slice(1, -1))) throw invalid();
	if (!isIPv6) {
		// What follows a character that ends a host is a part of the path.
		const wrong = hostname.search(/[/\\#?:]/);
		if (wrong >= 0) {
			after = '/' + hostname.slice(wrong) + after;
			hostname = hostname.slice(0, wrong);
		}
	}
	hostname = hostname.length > 255 ? '' : hostname.toLowerCase();
	if (!isIPv6 && hostname !== '') {
		if (!/^[\x00-\x7f]*$/.test(hostname)) throw unavailable('a host that is not ASCII');
		if (forbidden.test(hostname) || !native.isDomain(hostname)) throw invalid();
	}
	this.host = hostname + (this.port ? ':' + this.port : '');
	this.hostname = isIPv6 ? hostname.slice(1, -1) : hostname;
	if (isIPv6 && !after.startsWith('/')) after = '/' + after;
	return after;
};

// readRest reads path, query and hash.
Url.prototype.readRest = function (given, parseQuery) {
	let rest = given;
	const hash = rest.indexOf('#');
	if (hash >= 0) {
		this.hash = rest.slice(hash);
		rest = rest.slice(0, hash);
	}
	const question = rest.indexOf('?');
	if (question >= 0) {
		this.search = rest.slice(question);
		this.query = rest.slice(question + 1);
		if (parseQuery) this.query = querystring.parse(this.query);
		rest = rest.slice(0, question);
	} else if (parseQuery) {
		this.search = null;
		this.query = Object.create(null);
	}
	if (rest) this.pathname = rest;
};

Url.prototype.format = function () {
	let auth = this.auth || '';
	if (auth) {
		auth = encodeURIComponent(auth).replace(/%3A/gi, ':') + '@';
	}
	let protocol = this.protocol || '';
	let pathname = this.pathname || '';
	let hash = this.hash || '';
	let host = '';
	if (this.host) {
		host = auth + this.host;
	} else if (this.hostname) {
		const isIPv6 = this.hostname.includes(':') && !this.hostname.startsWith('[');
		host = auth + (isIPv6 ? '[' + this.hostname + ']' : this.hostname);
		if (this.port) host += ':' + this.port;
	}
	let query = '';
	if (this.query !== null && typeof this.query === 'object') {
		query = querystring.stringify(this.query);
	}
	let search = this.search || query && '?' + query || '';
	if (protocol && !protocol.endsWith(':')) protocol += ':';
	pathname = pathname.split('#').join('%23').split('?').join('%3F');
	if (this.slashes || named(slashed, protocol) && protocol) {
		if (this.slashes || host) {
			if (pathname && !pathname.startsWith('/')) pathname = '/' + pathname;
			host = '//' + host;
		} else if (/^file/.test(protocol)) {
			host = '//';
		}
	}
	search = search.split('#').join('%23');
	if (hash && !hash.startsWith('#')) hash = '#' + hash;
	if (search && !search.startsWith('?')) search = '?' + search;
	return protocol + host + pathname + search + hash;
};

exports.Url = Url;
exports.parse = (url, parseQuery, slashesDenoteHost) => {
	if (url instanceof Url) return url;
	return new Url().parse(url, parseQuery, slashesDenoteHost);
};
exports.format = (value, options) => {
	if (typeof value === 'string') return exports.parse(value).format();
	if (typeof value !== 'object' || value === null) {
		throw invalidType('urlObject', 'one of type object or string', value);
	}
	if (!(value instanceof URL)) return Url.prototype.format.call(value);
	const o = Object.assign({fragment: true, unicode: false, search: true, auth: true}, options);
	let {host} = value;
	if (o.auth && (value.username || value.password)) {
		host = value.username + (value.password ? ':' + value.password : '') + '@' + host;
	}
	const {protocol, pathname} = value;
	const hasHost = value.href.startsWith(protocol + '//');
	return protocol + (hasHost ? '//' : '') + host + pathname +
		(o.search ? value.search : '') + (o.fragment ? value.hash : '');
};

exports.resolve = (from, to) => {
	const base = exports.parse(String(from), false, true);
	return base.resolveObject(exports.parse(String(to), false, true)).format();
};
exports.resolveObject = (from, to) => (
	from ? exports.parse(from, false, true).resolveObject(to) : to);

Url.prototype.resolve = function (relative) {
	return this.resolveObject(exports.parse(relative, false, true)).format();
};

const hostLike = (result) => {
	result.path = result.pathname !== null || result.search !== null ?
		(result.pathname || '') + (result.search || '') : result.path;
	result.href = result.format();
	return result;
};

Url.prototype.resolveObject = function (given) {
	const relative = typeof given === 'string' ? new Url().parse(given, false, true) : given;
	const result = Object.assign(new Url(), this);
	result.hash = relative.hash; // even that of an empty reference
	if (relative.href === '') {
		result.href = result.format();
		return result;
	}
	if (relative.slashes && !relative.protocol) {
		for (const name of Object.keys(relative)) {
			if (name !== 'protocol') result[name] = relative[name];
		}
		if (result.protocol && named(slashed, result.protocol) && result.hostname &&
			!result.pathname) {
			result.path = result.pathname = '/';
		}
		result.href = result.format();
		return result;
	}
	if (relative.protocol && relative.protocol !== result.protocol) {
		return this.otherProtocol(result, relative);
	}
	return this.samePlace(result, relative);
};

// otherProtocol resolves a reference that has a protocol of its own.
Url.prototype.otherProtocol = function (result, relative) {
	if (!named(slashed, relative.protocol)) {
		Object.assign(result, relative);
		result.href = result.format();
		return result;
	}
	result.protocol = relative.protocol;
	if (!relative.host && !/^file:?$/.test(relative.protocol) &&
		!named(hostless, relative.protocol)) {
		const parts = (relative.pathname || '').split('/');
		while (parts.length > 0 && !(relative.host = parts.shift()));
		if (!relative.host) relative.host = '';
		if (!relative.hostname) relative.hostname = '';
		if (parts[0] !== '') parts.unshift('');
		if (parts.length < 2) parts.unshift('');
		result.pathname = parts.join('/');
	} else {
		result.pathname = relative.pathname;
	}
	result.search = relative.search;
	result.query = relative.query;
	result.host = relative.host || '';
	result.auth = relative.auth;
	result.hostname = relative.hostname || relative.host;
	result.port = relative.port;
	result.slashes = result.slashes || relative.slashes;
	return hostLike(result);
};

// samePlace resolves a reference to the protocol of the base.
Url.prototype.samePlace = function (result, relative) {
	const isRoot = (path) => Boolean(path) && path.startsWith('/');
	const isRelative = Boolean(relative.host) || isRoot(relative.pathname);
	let isAbsolute = isRelative || isRoot(result.pathname) ||
		Boolean(result.host && relative.pathname);
	const removeAll = isAbsolute;
	let path = result.pathname && result.pathname.split('/') || [];
	const added = relative.pathname && relative.pathname.split('/') || [];
	const noLeading = result.protocol && !named(slashed, result.protocol);
	if (noLeading) {
		result.hostname = '';
		result.port = null;
		if (result.host) {
			if (path[0] === '') path[0] = result.host;
			else path.unshift(result.host);
		}
		result.host = '';
		if (relative.protocol) {
			relative.hostname = null;
			relative.port = null;
			result.auth = null;
			if (relative.host) {
				if (added[0] === '') added[0] = relative.host;
				else added.unshift(relative.host);
			}
			relative.host = null;
		}
		isAbsolute = isAbsolute && (added[0] === '' || path[0] === '');
	}
	if (isRelative) {
		if (relative.host || relative.host === '') {
			if (result.host !== relative.host) result.auth = null;
			result.host = relative.host;
			result.port = relative.port;
		}
		if (relative.hostname || relative.hostname === '') {
			if (result.hostname !== relative.hostname) result.auth = null;
			result.hostname = relative.hostname;
		}
		result.search = relative.search;
		result.query = relative.query;
		path = added;
	} else if (added.length > 0) {
		path.pop();
		path = path.concat(added);
		result.search = relative.search;
		result.query = relative.query;
	} else if (relative.search !== null && relative.search !== undefined) {
		if (noLeading) {
			result.hostname = path.shift();
			result.host = result.hostname;
			takeAuth(result);
		}
		result.search = relative.search;
		result.query = relative.query;
		if (result.pathname !== null || result.search !== null) {
			result.path = (result.pathname || '') + (result.search || '');
		}
		result.href = result.format();
		return result;
	}
	if (path.length === 0) {
		result.pathname = null;
		result.path = result.search ? '/' + result.search : null;
		result.href = result.format();
		return result;
	}
	return finish(result, relative, clean(result, relative, path, isAbsolute, removeAll),
		isAbsolute, noLeading);
};

// takeAuth moves what is before an @ in the host into auth.
const takeAuth = (result) => {
	const at = result.host ? result.host.indexOf('@') : -1;
	if (at <= 0) return;
	result.auth = result.host.slice(0, at);
	result.host = result.hostname = result.host.slice(at + 1);
};

// clean takes . and .. out of a path.
const clean = (result, relative, path, isAbsolute, removeAll) => {
	const last = path[path.length - 1];
	const slash = (result.host || relative.host || path.length > 1) &&
		(last === '.' || last === '..') || last === '';
	const kept = [];
	let up = 0;
	for (let i = path.length - 1; i >= 0; i--) {
		if (path[i] === '.') continue;
		if (path[i] === '..') up++;
		else if (up > 0) up--;
		else kept.unshift(path[i]);
	}
	if (!isAbsolute && !removeAll) while (up-- > 0) kept.unshift('..');
	if (isAbsolute && kept[0] !== '' && (!kept[0] || kept[0][0] !== '/')) kept.unshift('');
	if (slash && kept.join('/').slice(-1) !== '/') kept.push('');
	return kept;
};

const finish = (result, relative, path, absolute, noLeading) => {
	const isAbsolute = path[0] === '' || Boolean(path[0]) && path[0][0] === '/';
	if (noLeading) {
		result.hostname = isAbsolute ? '' : path.length > 0 ? path.shift() : '';
		result.host = result.hostname;
		takeAuth(result);
	}
	if ((absolute || result.host && path.length > 0) && !isAbsolute) path.unshift('');
	if (path.length === 0) {
		result.pathname = null;
		result.path = null;
	} else {
		result.pathname = path.join('/');
	}
	if (result.pathname !== null || result.search !== null) {
		result.path = (result.pathname || '') + (result.search || '');
	}
	result.auth = relative.auth || result.auth;
	result.slashes = result.slashes || relative.slashes;
	result.href = result.format();
	return result;
};

exports.URL = URL;
exports.URLSearchParams = URLSearchParams;
exports.urlToHttpOptions = (url) => {
	const options = {
		protocol: url.protocol,
		hostname: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
		hash: url.hash,
		search: url.search,
		pathname: url.pathname,
		path: (url.pathname || '') + (url.search || ''),
		href: url.href
	};
	if (url.port !== '') options.port = Number(url.port);
	if (url.username || url.password) {
		options.auth = decodeURIComponent(url.username) + ':' + decodeURIComponent(url.password);
	}
	return options;
};
refuse(exports, 'url.', ['domainToASCII', 'domainToUnicode', 'fileURLToPath', 'pathToFileURL']);
