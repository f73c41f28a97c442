// The module auth0: the client of the Management API, in the form of its version 2.
(function (native) {
	const {pairsOf, join, withQuery, encode} = native.common;

	// methods are the method of HTTP and the path of each call. :name is a property of the first
	// argument. What is left of it goes into the query.
	const methods = {
		getUsers: ['GET', '/users'],
		getUser: ['GET', '/users/:id'],
		getUsersByEmail: ['GET', '/users-by-email', 'email'],
		updateUser: ['PATCH', '/users/:id'],
		updateAppMetadata: ['PATCH', '/users/:id', 'id', 'app_metadata'],
		updateUserMetadata: ['PATCH', '/users/:id', 'id', 'user_metadata'],
		getUserRoles: ['GET', '/users/:id/roles'],
		assignRolestoUser: ['POST', '/users/:id/roles'],
		removeRolesFromUser: ['DELETE', '/users/:id/roles'],
		getUserPermissions: ['GET', '/users/:id/permissions'],
		linkUsers: ['POST', '/users/:id/identities', 'id'],
		unlinkUsers: ['DELETE', '/users/:id/identities/:provider/:user_id'],
		getRoles: ['GET', '/roles'],
		getRole: ['GET', '/roles/:id'],
		getRolePermissions: ['GET', '/roles/:id/permissions'],
		getClients: ['GET', '/clients'],
		getClient: ['GET', '/clients/:client_id'],
		getConnections: ['GET', '/connections'],
		getConnection: ['GET', '/connections/:id']
	};
	const groups = {
		users: {
			getAll: 'getUsers', get: 'getUser', getByEmail: 'getUsersByEmail', update: 'updateUser',
			updateAppMetadata: 'updateAppMetadata', updateUserMetadata: 'updateUserMetadata',
			getRoles: 'getUserRoles', assignRoles: 'assignRolestoUser',
			removeRoles: 'removeRolesFromUser', getPermissions: 'getUserPermissions',
			link: 'linkUsers', unlink: 'unlinkUsers'
		},
		roles: {getAll: 'getRoles', get: 'getRole', getPermissions: 'getRolePermissions'},
		clients: {getAll: 'getClients', get: 'getClient'},
		connections: {getAll: 'getConnections', get: 'getConnection'}
	};

	class ManagementApiError extends Error {
		constructor(statusCode, body) {
			const o = body !== null && typeof body === 'object' ? body : {};
			super(o.message || o.error || 'the Management API answered ' + statusCode);
			Object.defineProperty(this, 'name', {
				value: o.error || 'ManagementApiError', configurable: true, writable: true
			});
			this.statusCode = statusCode;
			this.errorCode = o.errorCode;
		}
	}

	// call sends JSON and returns the JSON of the answer.
	const call = (method, url, token, body) => new Promise((resolve, reject) => {
		const headers = ['Accept', 'application/json'];
		if (token) headers.push('Authorization', 'Bearer ' + token);
		if (body !== undefined) headers.push('Content-Type', 'application/json');
		native.send({
			method, url, headers, redirects: 0,
			body: body === undefined ? undefined : native.stringify(body)
		}, (failure, answer) => {
			if (failure) {
				reject(native.common.failed(new Error(failure.message), failure));
				return;
			}
			const text = native.text(answer.body);
			let parsed = text;
			try {
				parsed = text === '' ? undefined : native.parse(text);
			} catch (e) { /* the text is all there is */ }
			if (answer.status >= 200 && answer.status < 300) resolve(parsed);
			else reject(new ManagementApiError(answer.status, parsed));
		});
	});

	// refusing makes an object whose other members throw. then and toJSON are asked of any object.
	const refusing = (object, name) => new Proxy(object, {
		get(target, key) {
			if (key in target || typeof key === 'symbol' || key === 'then' || key === 'toJSON') {
				return target[key];
			}
			throw new TypeError(name + '.' + key + ' is not available here: send the request yourself');
		}
	});

	class Client {
		constructor(options) {
			const o = options || {};
			if (!o.domain || typeof o.domain !== 'string') throw new Error('Must provide a domain');
			if (!o.token && !(o.clientId && o.clientSecret)) {
				throw new Error('Must provide a token, or a clientId and a clientSecret');
			}
			const root = 'https://' + o.domain;
			let token;
			// A token that the client has asked for serves for all its calls.
			const authorize = () => {
				if (o.token) return Promise.resolve(o.token);
				token = token || call('POST', root + '/oauth/token', undefined, {
					grant_type: 'client_credentials', client_id: o.clientId,
					client_secret: o.clientSecret, audience: o.audience || root + '/api/v2/',
					scope: o.scope
				}).then((answer) => answer.access_token);
				return token;
			};
			for (const name of Object.keys(methods)) {
				Object.defineProperty(this, name, {value: (...given) => {
					const callback = typeof given[given.length - 1] === 'function' ?
						given.pop() : undefined;
					const result = authorize().then((bearer) => {
						const [method, url, body] = requestOf(name, given);
						return call(method, root + '/api/v2' + url, bearer, body);
					});
					if (!callback) return result;
					result.then((value) => native.later(() => callback(null, value)),
						(error) => native.later(() => callback(error)));
				}});
			}
			for (const group of Object.keys(groups)) {
				const members = {};
				for (const name of Object.keys(groups[group])) {
					members[name] = this[groups[group][name]];
				}
				Object.defineProperty(this, group, {value: refusing(members, 'ManagementClient.' + group)});
			}
		}
	}

	// requestOf returns the method, the path and the body of a call.
	function requestOf(name, given) {
		const [method, template, only, wrap] = methods[name];
		const params = typeof given[0] === 'string' && only ? {[only]: given[0]} :
			Object.assign({}, given[0]);
		const path = template.split('/').map((part) => {
			if (part[0] !== ':') return part;
			const value = params[part.slice(1)];
			if (value === undefined || value === null || ['', '.', '..'].includes(String(value))) {
				throw new Error('ManagementClient.' + name + ' needs ' + part.slice(1));
			}
			delete params[part.slice(1)];
			return encode(String(value));
		}).join('/');
		const query = join(pairsOf(params, {skipNull: true, index: () => ''}), encode);
		const body = method === 'GET' || given[1] === undefined ? undefined :
			wrap ? {[wrap]: given[1]} : given[1];
		return [method, withQuery(path, query), body];
	}

	const ManagementClient = new Proxy(Client, {
		construct: (target, given) => refusing(new target(...given), 'ManagementClient')
	});
	return {auth0: refusing({ManagementClient}, "require('auth0')")};
})
