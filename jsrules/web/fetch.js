// The global fetch and what belongs to it, and the module node-fetch.
(function (native) {
	const {Names, failed, isBytes, bytesOf, isSearchParams, refuse} = native.common;

	// trim removes the white space of HTTP around a value, and no other.
	const trim = (value) => String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');

	class Headers {
		constructor(init) {
			this.map = new Map();
			if (init instanceof Headers) {
				for (const [name, values] of init.map) this.map.set(name, values.slice());
			} else if (init && typeof init[Symbol.iterator] === 'function') {
				for (const [name, value] of init) this.append(name, value);
			} else {
				for (const name of Object.keys(init || {})) {
					for (const value of [].concat(init[name])) this.append(name, value);
				}
			}
			Object.defineProperty(this, 'map', {enumerable: false});
		}
		append(name, value) {
			const key = String(name).toLowerCase();
			this.map.set(key, (this.map.get(key) || []).concat(trim(value)));
		}
		set(name, value) { this.map.set(String(name).toLowerCase(), [trim(value)]); }
		has(name) { return this.map.has(String(name).toLowerCase()); }
		get(name) {
			const values = this.map.get(String(name).toLowerCase());
			return values ? values.join(', ') : null;
		}
		delete(name) { this.map.delete(String(name).toLowerCase()); }
		getSetCookie() { return (this.map.get('set-cookie') || []).slice(); }
		raw() {
			const all = {};
			for (const name of this.keys()) all[name] = this.map.get(name).slice();
			return all;
		}
		* keys() { yield* Array.of(...this.map.keys()).sort(); }
		* values() { for (const name of this.keys()) yield this.get(name); }
		* entries() { for (const name of this.keys()) yield [name, this.get(name)]; }
		[Symbol.iterator]() { return this.entries(); }
		forEach(callback, self) {
			for (const [name, value] of this) callback.call(self, value, name, this);
		}
	}

	// Body is what requests and answers have in common. module decides on the errors.
	class Body {
		keep(body) {
			this.bodyUsed = false;
			Object.defineProperty(this, 'content', {value: body, writable: true});
		}
		take() {
			if (this.bodyUsed) {
				return Promise.reject(new TypeError('Body is unusable: Body has already been read'));
			}
			this.bodyUsed = true;
			return Promise.resolve(this.content || new ArrayBuffer(0));
		}
		text() { return this.take().then((body) => native.text(body)); }
		json() { return this.text().then((text) => native.parse(text)); }
		arrayBuffer() { return this.take(); }
		bytes() { return this.take().then((body) => new Uint8Array(body)); }
		buffer() { return this.take().then((body) => native.buffer().from(body)); }
		blob() { return Promise.reject(new TypeError('fetch: blob is not available here')); }
		formData() { return Promise.reject(new TypeError('fetch: formData is not available here')); }
		get body() {
			if (this.content === null) return null;
			throw new TypeError('fetch: the body as a stream is not available here: use text or json');
		}
	}

	// readBody returns the bytes of a body and its type.
	function readBody(body) {
		if (body === undefined || body === null) return [null, ''];
		if (isBytes(body)) return [bytesOf(body), ''];
		if (isSearchParams(body)) {
			const type = 'application/x-www-form-urlencoded;charset=UTF-8';
			return [native.bytes(body.toString()), type];
		}
		return [native.bytes(String(body)), 'text/plain;charset=UTF-8'];
	}

	class Request extends Body {
		constructor(input, init) {
			super();
			const from = input instanceof Request ? input : null;
			const o = init || {};
			refuse('fetch', o, ['agent', 'dispatcher']);
			this.url = from ? from.url : String(input && input.href || input);
			this.method = String(o.method || from && from.method || 'GET');
			if (/^(delete|get|head|options|post|put)$/i.test(this.method)) {
				this.method = this.method.toUpperCase();
			}
			this.headers = new Headers(o.headers || from && from.headers);
			this.redirect = o.redirect || from && from.redirect || 'follow';
			this.signal = o.signal || from && from.signal || null;
			const [content, type] = readBody(o.body);
			if (content && (this.method === 'GET' || this.method === 'HEAD')) {
				throw new TypeError('Request with GET/HEAD method cannot have body.');
			}
			if (type && !this.headers.has('content-type')) this.headers.set('content-type', type);
			this.keep(content || from && from.content || null);
			this.timeout = o.timeout || 0;
			this.follow = o.follow === undefined ? 20 : o.follow;
			this.size = o.size || 0;
		}
		clone() { return new Request(this); }
	}

	class Response extends Body {
		constructor(body, init) {
			super();
			const o = init || {};
			this.status = o.status === undefined ? 200 : o.status;
			this.statusText = o.statusText || '';
			this.headers = new Headers(o.headers);
			this.ok = this.status >= 200 && this.status < 300;
			this.url = o.url || '';
			this.redirected = Boolean(o.redirected);
			this.type = 'default';
			this.keep(readBody(body)[0]);
		}
		clone() {
			if (this.bodyUsed) throw new TypeError('Response.clone: Body has already been consumed.');
			return new Response(this.content, this);
		}
		static json(data, init) {
			const headers = new Headers((init || {}).headers);
			if (!headers.has('content-type')) headers.set('content-type', 'application/json');
			return new Response(native.stringify(data), Object.assign({}, init, {headers}));
		}
		static error() { return Object.assign(new Response(null, {status: 200}), {status: 0, ok: false}); }
	}

	function abortError(message) {
		const error = new Error(message);
		Object.defineProperty(error, 'name', {value: 'AbortError', configurable: true, writable: true});
		error.type = 'aborted';
		return error;
	}

	class AbortSignal {
		constructor() {
			this.aborted = false;
			this.reason = undefined;
			this.onabort = null;
			Object.defineProperty(this, 'listeners', {value: []});
		}
		addEventListener(type, listener) { if (type === 'abort') this.listeners.push(listener); }
		removeEventListener(type, listener) {
			const at = this.listeners.indexOf(listener);
			if (type === 'abort' && at >= 0) this.listeners.splice(at, 1);
		}
		dispatchEvent() { return true; }
		throwIfAborted() { if (this.aborted) throw this.reason; }
		static abort(reason) {
			const controller = new AbortController();
			controller.abort(reason);
			return controller.signal;
		}
		static timeout(delay) {
			const controller = new AbortController();
			native.setTimeout(() => {
				const error = new Error('The operation was aborted due to timeout');
				Object.defineProperty(error, 'name', {value: 'TimeoutError', configurable: true});
				controller.abort(error);
			}, delay);
			return controller.signal;
		}
	}
	class AbortController {
		constructor() { this.signal = new AbortSignal(); }
		abort(reason) {
			const signal = this.signal;
			if (signal.aborted) return;
			signal.aborted = true;
			signal.reason = reason === undefined ? abortError('This operation was aborted') : reason;
			const event = {type: 'abort', target: signal};
			if (typeof signal.onabort === 'function') signal.onabort(event);
			for (const listener of signal.listeners.slice()) {
				if (typeof listener === 'function') listener.call(signal, event);
				else listener.handleEvent(event);
			}
		}
	}

	// open sends a request, and gives its answer to resolve. reject gets what refuse makes of a
	// failure, or why the signal was aborted.
	function open(request, kind, resolve, reject) {
		const signal = request.signal;
		const aborted = () => reject(kind.aborted(signal));
		if (signal && signal.aborted) {
			aborted();
			return;
		}
		const names = new Names();
		for (const [name, value] of request.headers) names.set(name, value);
		names.setDefault('accept', '*/*');
		let over = false;
		const id = native.send({
			method: request.method,
			url: request.url,
			headers: names.list(),
			body: request.content,
			timeout: kind.timeout(request),
			redirects: request.redirect === 'follow' ? kind.follow(request) : 0,
			refuseMore: request.redirect === 'follow'
		}, (failure, answer) => {
			if (over) return;
			over = true;
			if (failure) {
				reject(kind.failed(failure, request));
				return;
			}
			const location = answer.headers.location;
			if (request.redirect === 'error' && answer.status > 300 && answer.status < 400 && location) {
				reject(kind.redirected(request));
				return;
			}
			const empty = answer.status === 204 || answer.status === 304 || request.method === 'HEAD';
			const response = new kind.Response(empty ? null : answer.body, {
				status: answer.status, statusText: answer.statusText, headers: answer.headers,
				url: answer.url, redirected: answer.redirected
			});
			if (kind.size(request) > 0 && answer.body.byteLength > kind.size(request)) {
				response.tooLarge = true;
			}
			resolve(response);
		});
		if (signal) {
			signal.addEventListener('abort', () => {
				if (over) return;
				over = true;
				native.drop(id);
				aborted();
			});
		}
	}

	const start = (Kind, kind) => (input, init) => new Promise((resolve, reject) => {
		open(new Kind(input, init), kind, resolve, reject);
	});

	const fetch = start(Request, {
		Response,
		timeout: () => 0,
		follow: () => 20,
		size: () => 0,
		aborted: (signal) => signal.reason,
		redirected: () => new TypeError('fetch failed'),
		// fetch of Node has the code in cause alone.
		failed: (failure) => {
			const error = failed(new TypeError('fetch failed'), failure);
			error.cause = failed(new Error(failure.message), failure);
			error.message += ': ' + failure.message;
			return error;
		}
	});

	class FetchError extends Error {
		constructor(message, type, failure) {
			super(message);
			Object.defineProperty(this, 'name', {value: 'FetchError', configurable: true});
			this.type = type;
			if (failure) failed(this, failure);
		}
	}
	// originOf returns scheme and host of a URL that the client could read. The rest can hold secrets.
	const originOf = (url) => native.origin(String(url)) + '/';

	// The answers of node-fetch have errors of their own.
	class FetchResponse extends Response {
		take() {
			if (this.tooLarge) {
				return Promise.reject(new FetchError('content size at ' + originOf(this.url) +
					' over limit', 'max-size'));
			}
			if (this.bodyUsed) {
				return Promise.reject(new TypeError('body used already for: ' + originOf(this.url)));
			}
			return super.take();
		}
		text() { return this.take().then((body) => native.text(body, true)); }
		json() {
			return this.text().then((text) => {
				try {
					return native.parse(text);
				} catch (error) {
					throw new FetchError('invalid json response body at ' + originOf(this.url) +
						' reason: ' + error.message, 'invalid-json');
				}
			});
		}
	}

	const nodeFetch = start(Request, {
		Response: FetchResponse,
		timeout: (request) => request.timeout,
		follow: (request) => request.follow,
		size: (request) => request.size,
		aborted: () => abortError('The user aborted a request.'),
		redirected: (request) => new FetchError('uri requested responds with a redirect, redirect ' +
			'mode is set to error: ' + originOf(request.url), 'no-redirect'),
		failed: (failure, request) => {
			// Where the host ends in an invalid URL is not known.
			const isURL = failure.code !== 'ERR_INVALID_URL';
			const at = isURL ? originOf(request.url) : 'an invalid URL';
			switch (failure.code) {
			case 'ERR_FR_TOO_MANY_REDIRECTS':
				return new FetchError('maximum redirect reached at: ' + at, 'max-redirect');
			case 'ETIMEDOUT':
			case 'ESOCKETTIMEDOUT':
				if (request.timeout > 0 && failure.message === failure.code) {
					return new FetchError('network timeout at: ' + at, 'request-timeout');
				}
			}
			return new FetchError('request to ' + at + ' failed, reason: ' + failure.message, 'system',
				failure);
		}
	});
	nodeFetch.default = nodeFetch;
	Object.assign(nodeFetch, {
		Headers, Request, Response: FetchResponse, FetchError, AbortError: abortError,
		isRedirect: (code) => [301, 302, 303, 307, 308].includes(code)
	});

	return {fetch, nodeFetch, Headers, Request, Response, AbortController, AbortSignal};
})
