// The module axios.
(function (native) {
	const {pairsOf, join, withQuery, Names, failed, basic, isBytes, bytesOf, isSearchParams,
		refuse} = native.common;

	// What would have a meaning at Auth0, and has none here.
	const refused = ['proxy', 'socketPath', 'transport', 'adapter', 'beforeRedirect',
		'onUploadProgress', 'onDownloadProgress'];
	const bodyless = ['delete', 'get', 'head', 'options'];
	const withBody = ['post', 'put', 'patch'];
	const paramOptions = {skipNull: true, index: (i, flat) => (flat ? '[]' : '[' + i + ']')};

	const encodeParam = (text) => encodeURIComponent(text).replace(/%3A/gi, ':')
		.replace(/%24/g, '$').replace(/%2C/gi, ',').replace(/%20/g, '+');
	const encodeForm = (text) => encodeURIComponent(text).replace(/%20/g, '+')
		.replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

	class AxiosError extends Error {
		constructor(message, code, config, request, response) {
			super(message);
			Object.defineProperty(this, 'message', {value: message, enumerable: true, writable: true});
			this.name = 'AxiosError';
			this.isAxiosError = true;
			if (code) this.code = code;
			if (config) this.config = config;
			if (request) this.request = request;
			if (response) {
				this.response = response;
				this.status = response.status;
			}
		}
		// config holds headers, so toJSON leaves it out: it would print tokens into logs.
		toJSON() {
			return {message: this.message, name: this.name, code: this.code, status: this.status};
		}
	}
	for (const code of ['ERR_BAD_OPTION_VALUE', 'ERR_BAD_OPTION', 'ECONNABORTED', 'ETIMEDOUT',
		'ERR_NETWORK', 'ERR_FR_TOO_MANY_REDIRECTS', 'ERR_BAD_RESPONSE', 'ERR_BAD_REQUEST',
		'ERR_CANCELED', 'ERR_NOT_SUPPORT', 'ERR_INVALID_URL']) AxiosError[code] = code;

	class CanceledError extends AxiosError {
		constructor(message, config, request) {
			super(message === undefined || message === null ? 'canceled' : message, 'ERR_CANCELED',
				config, request);
			this.name = 'CanceledError';
			this.__CANCEL__ = true;
		}
	}
	const isCancel = (value) => Boolean(value && value.__CANCEL__);

	class CancelToken {
		constructor(executor) {
			this.promise = new Promise((resolve) => {
				executor((message) => {
					if (this.reason) return;
					this.reason = new CanceledError(message);
					resolve(this.reason);
				});
			});
		}
		throwIfRequested() { if (this.reason) throw this.reason; }
		static source() {
			let cancel;
			const token = new CancelToken((c) => { cancel = c; });
			return {token, cancel};
		}
	}

	// AxiosHeaders are the headers of a request or an answer, by their names.
	class AxiosHeaders {
		constructor(from) { this.set(from); }
		find(name) {
			const lower = String(name).toLowerCase();
			return Object.keys(this).find((key) => key.toLowerCase() === lower);
		}
		get(name) { return this[this.find(name)]; }
		has(name) { return this.find(name) !== undefined; }
		set(name, value, overwrite) {
			if (name !== null && typeof name === 'object') {
				for (const key of Object.keys(name)) this.set(key, name[key]);
				return this;
			}
			if (name === undefined || name === null) return this;
			const key = this.find(name);
			if (key === undefined || overwrite !== false && this[key] !== false || overwrite === true) {
				if (value !== undefined) this[key === undefined ? name : key] = value;
			}
			return this;
		}
		delete(name) {
			const key = this.find(name);
			return key !== undefined && delete this[key];
		}
		getContentType() { return this.get('Content-Type'); }
		setContentType(value, overwrite) { return this.set('Content-Type', value, overwrite); }
		setAuthorization(value, overwrite) { return this.set('Authorization', value, overwrite); }
		toJSON() { return Object.assign({}, this); }
		static from(value) { return value instanceof AxiosHeaders ? value : new AxiosHeaders(value); }
	}

	function transformRequest(data, headers) {
		const type = String(headers.getContentType() || '');
		const isJSON = type.includes('application/json');
		if (data === undefined || data === null) return isJSON && data === null ? 'null' : data;
		if (isBytes(data)) return data;
		if (isSearchParams(data)) {
			headers.setContentType('application/x-www-form-urlencoded;charset=utf-8', false);
			return data.toString();
		}
		if (typeof data === 'object') {
			if (type.includes('application/x-www-form-urlencoded')) {
				return join(pairsOf(data, paramOptions), encodeForm);
			}
			if (type.includes('multipart/form-data')) {
				throw new TypeError('axios: multipart/form-data is not available here');
			}
		} else if (!isJSON) {
			return data;
		}
		headers.setContentType('application/json', false);
		if (typeof data === 'string') {
			try {
				native.parse(data);
				return data.trim();
			} catch (e) { /* a text, which becomes a text in JSON */ }
		}
		return native.stringify(data);
	}

	function transformResponse(data) {
		const type = this.responseType;
		if (typeof data !== 'string' || data === '' || type && type !== 'json') return data;
		try {
			return native.parse(data);
		} catch (e) {
			return data;
		}
	}

	const isObject = (value) => Boolean(value) && typeof value === 'object' &&
		[Object.prototype, null].includes(Object.getPrototypeOf(value));

	// merge combines two configurations, whose objects are merged, too.
	function merge(a, b) {
		const merged = Object.assign({}, a);
		for (const name of Object.keys(b || {})) {
			const value = b[name];
			const was = merged[name];
			if (name === 'data') merged[name] = value;
			else if (name === 'headers') merged[name] = mergeHeaders(was, value);
			else if (isObject(value)) merged[name] = merge(isObject(was) ? was : {}, value);
			else if (value !== undefined || name === 'validateStatus') merged[name] = value;
		}
		return merged;
	}
	function mergeHeaders(a, b) {
		const merged = new AxiosHeaders(a);
		for (const name of Object.keys(b || {})) {
			const value = b[name];
			if (isObject(value)) merged[name] = Object.assign({}, merged[name], value);
			else merged.set(name, value, true);
		}
		return Object.assign({}, merged);
	}

	// headersOf chooses the headers of a request among those of all methods.
	function headersOf(headers, method) {
		const chosen = new AxiosHeaders();
		const general = headers || {};
		for (const group of ['common', method]) {
			if (isObject(general[group])) chosen.set(general[group]);
		}
		for (const name of Object.keys(general)) {
			if (!isObject(general[name])) chosen.set(name, general[name], true);
		}
		return chosen;
	}

	function serialize(params, serializer) {
		if (typeof serializer === 'function') return serializer(params);
		if (serializer && serializer.serialize) return serializer.serialize(params, serializer);
		if (isSearchParams(params)) return params.toString();
		const indexes = serializer && serializer.indexes;
		const index = indexes === null ? () => '' : indexes ? (i) => '[' + i + ']' : paramOptions.index;
		return join(pairsOf(params, {skipNull: true, index}),
			serializer && serializer.encode || encodeParam);
	}

	function fullURL(config) {
		const url = config.url === undefined ? '' : String(config.url);
		const base = config.baseURL;
		const absolute = /^([a-z][a-z\d+\-.]*:)?\/\//i.test(url);
		let whole = url;
		if (base && !absolute) {
			whole = url ? String(base).replace(/\/+$/, '') + '/' + url.replace(/^\/+/, '') : base;
		}
		if (!config.params) return whole;
		const query = serialize(config.params, config.paramsSerializer);
		return query ? withQuery(String(whole).split('#')[0], query) : whole;
	}

	const apply = (functions, config, data, ...more) => [].concat(functions || [])
		.reduce((value, f) => f.call(config, value, ...more), data);

	function throwIfCancelled(config) {
		if (config.cancelToken) config.cancelToken.throwIfRequested();
		if (config.signal && config.signal.aborted) throw new CanceledError(null, config);
	}

	function dispatch(config) {
		refuse('axios', config, refused);
		if (['stream', 'blob', 'document', 'formdata'].includes(config.responseType)) {
			throw new TypeError('axios: the responseType ' + config.responseType +
				' is not available here');
		}
		throwIfCancelled(config);
		config.headers = AxiosHeaders.from(config.headers);
		config.data = apply(config.transformRequest, config, config.data, config.headers);
		if (withBody.includes(config.method)) {
			config.headers.setContentType('application/x-www-form-urlencoded', false);
		}
		return send(config).then((response) => {
			throwIfCancelled(config);
			return response;
		});
	}

	function send(config) {
		return new Promise((resolve, reject) => {
			const data = config.data;
			const sent = new Names(config.headers.toJSON());
			for (const [name, value] of Object.entries(config.headers)) {
				if (value === false || value === null) sent.delete(name);
			}
			if (config.auth) {
				sent.set('Authorization', basic(config.auth.username || '', config.auth.password || ''));
			}
			const request = {method: config.method.toUpperCase()};
			const follow = config.maxRedirects !== 0;
			const id = native.send({
				method: request.method,
				url: fullURL(config),
				headers: sent.list(),
				body: isBytes(data) ? bytesOf(data) : data,
				timeout: config.timeout,
				redirects: config.maxRedirects === undefined ? 21 : config.maxRedirects,
				refuseMore: follow
			}, (failure, answer) => {
				if (failure) {
					reject(networkError(failure, config, request));
					return;
				}
				try {
					resolve(respond(answer, config, request));
				} catch (error) {
					reject(error);
				}
			});
			const cancel = (reason) => {
				native.drop(id);
				reject(reason || new CanceledError(null, config, request));
			};
			if (config.cancelToken) config.cancelToken.promise.then(cancel);
			if (config.signal) config.signal.addEventListener('abort', () => cancel());
		});
	}

	function networkError(failure, config, request) {
		let {code, message} = failure;
		const timeout = code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT';
		if (timeout && config.timeout > 0 && message === code) {
			code = 'ECONNABORTED';
			message = config.timeoutErrorMessage || 'timeout of ' + config.timeout + 'ms exceeded';
		}
		const error = new AxiosError(message, code, config, request);
		if (code === failure.code) {
			const cause = failed(new Error(message), failure);
			Object.defineProperty(error, 'cause', {value: cause, configurable: true, writable: true});
			if (failure.syscall) error.syscall = failure.syscall;
		}
		return error;
	}

	function respond(answer, config, request) {
		request.res = {responseUrl: answer.url};
		const response = {
			status: answer.status,
			statusText: answer.statusText,
			headers: new AxiosHeaders(answer.headers),
			config,
			request
		};
		const most = config.maxContentLength;
		if (most > -1 && answer.body.byteLength > most) {
			throw new AxiosError('maxContentLength size of ' + most + ' exceeded', 'ERR_BAD_RESPONSE',
				config, request);
		}
		const data = config.responseType === 'arraybuffer' ?
			native.buffer().from(answer.body) : native.text(answer.body);
		response.data = apply(config.transformResponse, config, data, response.headers, answer.status);
		const valid = config.validateStatus;
		if (valid && !valid(answer.status)) {
			const code = answer.status >= 400 && answer.status < 500 ?
				'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE';
			throw new AxiosError('Request failed with status code ' + answer.status, code, config,
				request, response);
		}
		return response;
	}

	// Interceptors run around the requests of one client.
	class Interceptors {
		constructor() { this.handlers = []; }
		use(fulfilled, rejected) { return this.handlers.push({fulfilled, rejected}) - 1; }
		eject(id) { if (this.handlers[id]) this.handlers[id] = null; }
		clear() { this.handlers = []; }
	}

	class Axios {
		constructor(defaults) {
			this.defaults = defaults;
			this.interceptors = {request: new Interceptors(), response: new Interceptors()};
		}
		request(first, second) {
			const given = typeof first === 'string' ? Object.assign({}, second, {url: first}) : first;
			const config = merge(this.defaults, given);
			config.method = String(config.method || 'get').toLowerCase();
			config.headers = headersOf(config.headers, config.method);
			let promise = Promise.resolve(config);
			for (const handler of this.interceptors.request.handlers.slice().reverse()) {
				if (handler) promise = promise.then(handler.fulfilled, handler.rejected);
			}
			promise = promise.then(dispatch);
			for (const handler of this.interceptors.response.handlers) {
				if (handler) promise = promise.then(handler.fulfilled, handler.rejected);
			}
			return promise;
		}
		getUri(config) { return fullURL(merge(this.defaults, config)); }
	}
	for (const method of bodyless) {
		Axios.prototype[method] = function (url, config) {
			return this.request(Object.assign({}, config, {method, url}));
		};
	}
	for (const method of withBody) {
		Axios.prototype[method] = function (url, data, config) {
			return this.request(Object.assign({}, config, {method, url, data}));
		};
	}

	function create(defaults) {
		const context = new Axios(defaults);
		const instance = (first, second) => context.request(first, second);
		for (const name of Object.getOwnPropertyNames(Axios.prototype)) {
			if (name !== 'constructor') instance[name] = context[name].bind(context);
		}
		instance.defaults = context.defaults;
		instance.interceptors = context.interceptors;
		instance.create = (config) => create(merge(context.defaults, config));
		return instance;
	}

	const headers = {common: {Accept: 'application/json, text/plain, */*'}};
	for (const method of bodyless.concat(withBody)) headers[method] = {};
	const axios = create({
		headers,
		timeout: 0,
		maxContentLength: -1,
		transformRequest: [transformRequest],
		transformResponse: [transformResponse],
		validateStatus: (status) => status >= 200 && status < 300
	});
	Object.assign(axios, {
		Axios, AxiosError, AxiosHeaders, CanceledError, Cancel: CanceledError, CancelToken, isCancel,
		all: (promises) => Promise.all(promises),
		spread: (callback) => (list) => callback(...list),
		isAxiosError: (value) => Boolean(value) && value.isAxiosError === true
	});
	axios.default = axios;
	return {axios};
})
