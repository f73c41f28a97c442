// The modules request, request-promise and request-promise-native.
(function (native) {
	const {encode, pairsOf, join, withQuery, Names, failed, basic, isBytes, bytesOf, refuse} =
		native.common;

	// What would have a meaning at Auth0, and has none here.
	const refused = ['formData', 'multipart', 'oauth', 'hawk', 'aws', 'httpSignature', 'jar', 'proxy',
		'ca', 'cert', 'key', 'pfx', 'agent', 'agentClass', 'har', 'localAddress'];
	const qsOptions = {index: (i) => '[' + i + ']'};

	function joinURL(base, path) {
		if (typeof path !== 'string') {
			throw new Error('options.uri must be a string when using options.baseUrl');
		}
		if (path.startsWith('//') || path.includes('://')) {
			throw new Error('options.uri must be a path when using options.baseUrl');
		}
		if (path === '') return base;
		return base.replace(/\/$/, '') + '/' + path.replace(/^\//, '');
	}

	// addQuery adds options.qs to a URL, in place of parameters of the same names.
	function addQuery(url, qs, write) {
		const hash = url.indexOf('#');
		const whole = hash < 0 ? url : url.slice(0, hash);
		const at = whole.indexOf('?');
		if (at < 0) return withQuery(whole, write(qs));
		const kept = whole.slice(at + 1).split('&').filter((pair) => {
			const name = native.unescape(pair.split('=')[0]).split('[')[0];
			return pair !== '' && !Object.prototype.hasOwnProperty.call(qs, name);
		});
		return withQuery(withQuery(whole.slice(0, at), kept.join('&')), write(qs));
	}

	class Call {
		constructor(options) {
			refuse('request', options, refused);
			this.options = options;
			this.method = String(options.method || 'GET').toUpperCase();
			this.headers = {};
			this.names = new Names(options.headers);
			this.body = options.body;
			this.callback = options.callback;
			this.listeners = {};
			let wrong;
			try {
				this.prepare(options);
			} catch (error) {
				wrong = error;
			}
			// As in Node, the request goes out later, so that form and auth can still be called.
			native.later(() => (wrong ? this.fail(wrong) : this.start()));
		}

		prepare(options) {
			let uri = options.uri || options.url;
			if (uri && typeof uri === 'object') uri = uri.href || String(uri);
			if (options.baseUrl) uri = joinURL(String(options.baseUrl), uri);
			if (!uri) throw new Error('options.uri is a required argument');
			this.url = String(uri);
			if (!/^https?:\/\//i.test(this.url)) throw new Error('Invalid URI');
			if (options.form) this.form(options.form);
			if (options.qs) this.qs(options.qs);
			const auth = options.auth;
			if (auth) {
				const user = auth.username === undefined ? auth.user : auth.username;
				const pass = auth.password === undefined ? auth.pass : auth.password;
				this.auth(user, pass, auth.sendImmediately, auth.bearer);
			}
			if (options.json) this.json(options.json);
		}

		qs(qs) { this.url = addQuery(this.url, qs, (q) => this.stringify(q)); return this; }
		stringify(object) {
			if (this.options.useQuerystring) {
				const options = {index: () => ''};
				return join(pairsOf(object, options), encode);
			}
			const style = (this.options.qsStringifyOptions || {}).arrayFormat;
			const index = {brackets: () => '[]', repeat: () => ''}[style];
			return join(pairsOf(object, index ? {index} : qsOptions), encode);
		}
		form(form) {
			if (form === undefined) {
				throw new TypeError('request: a form with parts is not available here');
			}
			this.names.set('content-type', 'application/x-www-form-urlencoded');
			this.body = typeof form === 'string' ?
				form.replace(/[!'()*]/g, encode) : this.stringify(form);
			return this;
		}
		auth(user, pass, sendImmediately, bearer) {
			if (sendImmediately === false) {
				throw new TypeError('request: auth.sendImmediately: false is not available here');
			}
			if (bearer !== undefined) {
				const token = typeof bearer === 'function' ? bearer() : bearer;
				this.names.set('authorization', 'Bearer ' + (token || ''));
				return this;
			}
			if (typeof user !== 'string' || pass !== undefined && typeof pass !== 'string') {
				throw new Error('auth() received invalid user or password');
			}
			this.names.set('authorization', basic(user, pass || ''));
			return this;
		}
		json(value) {
			this.names.setDefault('accept', 'application/json');
			this.isJSON = true;
			if (typeof value !== 'boolean') {
				this.body = native.stringify(value);
				this.names.setDefault('content-type', 'application/json');
				return this;
			}
			if (this.body === undefined) return this;
			const type = String(this.names.get('content-type') || '');
			if (!type.startsWith('application/x-www-form-urlencoded')) {
				this.body = native.stringify(this.body);
			}
			this.names.setDefault('content-type', 'application/json');
			return this;
		}
		setHeader(name, value) { this.names.set(name, value); return this; }

		start() {
			if (this.aborted) return;
			const o = this.options;
			const body = Array.isArray(this.body) ? this.body.join('') : this.body;
			if (body && typeof body !== 'string' && !isBytes(body)) {
				this.fail(new Error('Argument error, options.body.'));
				return;
			}
			const unsafe = ['PATCH', 'PUT', 'POST', 'DELETE'].includes(this.method);
			const follow = o.followAllRedirects || o.followRedirect !== false && !unsafe;
			if (typeof o.followRedirect === 'function') {
				this.fail(new TypeError('request: followRedirect as a function is not available here'));
				return;
			}
			this.headers = this.names.object();
			this.id = native.send({
				method: this.method,
				url: this.url,
				oldURL: true,
				headers: this.names.list(),
				body: body && typeof body !== 'string' ? bytesOf(body) : body,
				timeout: o.timeout,
				redirects: follow ? (o.maxRedirects === undefined ? 10 : o.maxRedirects) : 0,
				refuseMore: follow,
				redirectsAsGet: Boolean(o.followAllRedirects && !o.followOriginalHttpMethod)
			}, (failure, answer) => {
				if (this.aborted) return;
				if (failure) this.fail(this.error(failure));
				else this.answered(answer);
			});
		}

		error(failure) {
			const error = failed(new Error(failure.message), failure);
			if (failure.code === 'ERR_FR_TOO_MANY_REDIRECTS') {
				error.message = 'Exceeded maxRedirects. Probably stuck in a redirect loop';
			}
			if (failure.code === 'ETIMEDOUT' || failure.code === 'ESOCKETTIMEDOUT') {
				error.connect = failure.connect;
			}
			return error;
		}

		answered(answer) {
			const response = {
				statusCode: answer.status,
				statusMessage: answer.statusText,
				headers: answer.headers,
				httpVersion: '1.1',
				request: this
			};
			response.toJSON = () => ({
				statusCode: response.statusCode, body: response.body, headers: response.headers,
				request: {method: this.method, headers: this.headers}
			});
			this.uri = {href: answer.url};
			this.href = answer.url;
			this.response = response;
			this.emit('response', response);
			if (answer.body.byteLength > 0 && this.listeners.data) {
				this.emit('data', native.buffer().from(answer.body));
			}
			this.emit('end');
			this.readBody(response, answer.body);
			this.finish(null, response, response.body);
			this.emit('complete', response, response.body);
		}

		readBody(response, body) {
			const encoding = this.options.encoding;
			const bytes = () => native.buffer().from(body);
			if (body.byteLength > 0) {
				if (encoding === null) response.body = bytes();
				else response.body = encoding ? bytes().toString(encoding) : native.text(body, true);
			}
			if (this.isJSON) {
				try {
					response.body = native.parse(response.body, this.options.jsonReviver);
				} catch (e) { /* the body stays a text, as in request */ }
			} else if (response.body === undefined) {
				response.body = encoding === null ? bytes() : '';
			}
		}

		finish(...result) {
			const callback = this.callback;
			this.callback = undefined;
			if (callback) callback.apply(this, result);
		}
		// An error that nothing handles is thrown, as by any emitter of Node.
		fail(error) {
			const handled = this.callback || (this.listeners.error || []).length > 0;
			if (!handled) throw error;
			this.finish(error);
			this.emit('error', error);
		}
		emit(event, ...values) {
			for (const listener of (this.listeners[event] || []).slice()) listener.apply(this, values);
		}
		on(event, listener) {
			(this.listeners[event] = this.listeners[event] || []).push(listener);
			return this;
		}
		once(event, listener) { return this.on(event, listener); } // each event comes once
		pipe() { throw new TypeError('request: pipe is not available here'); }
		abort() {
			this.aborted = true;
			if (this.id !== undefined) native.drop(this.id);
			this.emit('abort');
		}
		toJSON() { return {uri: this.uri, method: this.method, headers: this.headers}; }
	}

	function readParams(uri, options, callback) {
		if (typeof options === 'function') {
			callback = options;
			options = undefined;
		}
		let params;
		if (options !== null && typeof options === 'object') params = Object.assign({}, options, {uri});
		else if (typeof uri === 'string') params = {uri};
		else params = Object.assign({}, uri);
		params.callback = callback || params.callback;
		return params;
	}

	const has = (o) => o.body || o.form || o.json && typeof o.json !== 'boolean';

	// merge combines defaults and options, whose objects are merged, too.
	function merge(defaults, options) {
		const merged = Object.assign({}, defaults);
		for (const name of Object.keys(options)) {
			const value = options[name];
			const was = merged[name];
			const both = [was, value].every((v) => v && typeof v === 'object' && !Array.isArray(v) &&
				!isBytes(v));
			if (both) merged[name] = merge(was, value);
			else if (value !== undefined) merged[name] = value;
		}
		return merged;
	}

	// client makes the function request. begin makes a call of options.
	function client(begin, defaults) {
		const send = (verb) => function (uri, options, callback) {
			if (uri === undefined) throw new Error('undefined is not a valid uri or options object.');
			const params = merge(defaults, readParams(uri, options, callback));
			if (verb) params.method = verb;
			if (params.method === 'HEAD' && has(params)) {
				throw new Error('HTTP HEAD requests MUST NOT include a request body.');
			}
			return begin(params);
		};
		const request = send();
		for (const verb of ['get', 'head', 'options', 'post', 'put', 'patch', 'delete']) {
			request[verb] = send(verb.toUpperCase());
		}
		request.del = request.delete;
		request.defaults = (more) => client(begin, merge(defaults, more || {}));
		const missing = (name) => () => {
			throw new TypeError('request: ' + name + ' is not available here: no cookies are kept');
		};
		request.jar = missing('jar');
		request.cookie = missing('cookie');
		return request;
	}

	const request = client((options) => new Call(options), {});

	// kind makes a class of errors of request-promise.
	function kind(name) {
		return class extends Error {
			constructor(message, cause, options, response) {
				super(message);
				Object.defineProperty(this, 'name', {value: name, enumerable: true, writable: true});
				this.error = cause;
				this.options = options;
				this.response = response;
			}
			// options and response hold headers, so toJSON leaves them out: it would print tokens into
			// logs.
			toJSON() {
				return {name: this.name, statusCode: this.statusCode, message: this.message};
			}
		};
	}
	const Failed = kind('RequestError');
	const Status = kind('StatusCodeError');
	const Transform = kind('TransformError');
	class RequestError extends Failed {
		constructor(cause, options, response) {
			super(String(cause), cause, options, response);
			this.cause = cause;
		}
	}
	class StatusCodeError extends Status {
		// The message of request-promise also has the body, which can hold secrets.
		constructor(statusCode, body, options, response) {
			super(String(statusCode), body, options, response);
			this.statusCode = statusCode;
		}
	}
	class TransformError extends Transform {
		constructor(cause, options, response) {
			super(String(cause), cause, options, response);
			this.cause = cause;
		}
	}
	const errors = {RequestError, StatusCodeError, TransformError};

	// begin starts a call that is a promise, too.
	function begin(options) {
		const whole = options.resolveWithFullResponse === true;
		const original = options.callback;
		let resolve;
		let reject;
		const promise = new Promise((yes, no) => { resolve = yes; reject = no; });
		function settle(error, response, body) {
			if (error) return reject(new RequestError(error, options, response));
			const good = String(response.statusCode)[0] === '2';
			const refused = !good && options.simple !== false;
			const refuse = (of) => reject(new StatusCodeError(response.statusCode, body, options, of));
			const transform = options.transform ||
				(call.method === 'HEAD' && ((b, r, all) => (all ? r : r.headers)));
			if (transform && (good || options.transform2xxOnly !== true)) {
				return Promise.resolve().then(() => transform(body, response, whole)).then(
					(made) => (refused ? refuse(made) : resolve(made)),
					(e) => reject(new TransformError(e, options, response)));
			}
			if (refused) return refuse(response);
			return resolve(whole ? response : body);
		}
		options = Object.assign({}, options, {
			simple: options.simple !== false,
			resolveWithFullResponse: whole,
			callback: function (error, response, body) {
				try {
					if (original) original.call(this, error, response, body);
				} finally {
					settle(error, response, body);
				}
			}
		});
		const call = new Call(options);
		for (const method of ['then', 'catch', 'finally']) {
			call[method] = (...handlers) => promise[method](...handlers);
		}
		call.promise = () => promise;
		return call;
	}
	const promised = client(begin, {});

	return {request, promised, errors};
})
