// The npm package @auth0/rule-utilities, as of version 0.2.
const jwt = require('jsonwebtoken');
const {unavailable} = require('errors');

const noRedirectProtocols = [
	'oauth2-resource-owner', 'oauth2-refresh-token', 'oauth2-password', 'redirect-callback'
];

class Auth0RedirectRuleUtilities {
	constructor(user, context, configuration) {
		const settings = configuration || {};
		this.context = context || {};
		this.user = user || {};
		this.tokenSecret = settings.SESSION_TOKEN_SECRET;
		this.tokenExpiresIn = settings.SESSION_TOKEN_EXPIRES_IN || '3d';
		this.noRedirectProtocols = noRedirectProtocols;
		this.verify = jwt.verify;
		this.sign = jwt.sign;
	}
	get redirectUrl() { return this.context.redirect && this.context.redirect.url; }
	get queryParams() { return this.context.request && this.context.request.query || {}; }
	get protocolCanRedirect() { return !this.noRedirectProtocols.includes(this.context.protocol); }
	get isRedirectCallback() { return this.context.protocol === 'redirect-callback'; }
	get canRedirect() {
		if (this.redirectUrl || this.context.multifactor) return false;
		return this.queryParams.prompt !== 'none' && this.protocolCanRedirect;
	}
	get issuer() { return 'https://' + this.context.request.hostname + '/'; }
	createSessionToken(claims = {}) {
		const token = {
			ip: this.context.request.ip,
			iss: this.issuer,
			sub: this.user.user_id,
			...claims
		};
		return this.sign(token, this.tokenSecret, {expiresIn: this.tokenExpiresIn});
	}
	validateSessionToken(options = {}) {
		const payload = this.verify(this.queryParams.session_token, this.tokenSecret, {
			...options,
			subject: this.user.user_id,
			issuer: this.issuer
		});
		if (!payload.exp) throw new Error('Expired token');
		return payload;
	}
	doRedirect(url, options) {
		if (!this.canRedirect || !url) throw new Error('Cannot redirect');
		const {sessionToken, generateSessionToken = true} = options || {};
		let token;
		if (sessionToken && typeof sessionToken === 'string') token = sessionToken;
		else if (generateSessionToken === true) token = this.createSessionToken();
		this.context.redirect = {url: token ? url + '?session_token=' + token : url};
	}
}

class Auth0UserUpdateUtilities {
	#auth0;
	constructor(user, auth0, namespace) {
		this.#auth0 = auth0;
		this.user = user;
		this.userId = user.user_id;
		this.updatedUserData = {};
		user.user_metadata = user.user_metadata || {};
		user.app_metadata = user.app_metadata || {};
		this.isNamespaced = Boolean(namespace) && typeof namespace === 'string';
		if (!this.isNamespaced) return;
		this.namespace = namespace;
		for (const metadata of [user.user_metadata, user.app_metadata]) {
			metadata[namespace] = metadata[namespace] || {};
		}
	}
	#metadata(name) {
		return this.isNamespaced ? this.user[name][this.namespace] : this.user[name];
	}
	// Only the operator can give auth0.users its functions, so this calls what is there.
	#update(name, value) {
		const {users} = this.#auth0 || {};
		if (!users || typeof users[name] !== 'function') throw unavailable('auth0.users.' + name);
		return users[name](this.userId, value);
	}
	setUser(key, value) {
		this.user[key] = value;
		this.updatedUserData[key] = value;
	}
	setUserMeta(key, value) { this.#metadata('user_metadata')[key] = value; }
	setAppMeta(key, value) { this.#metadata('app_metadata')[key] = value; }
	getUserMeta(key) { return this.#metadata('user_metadata')[key]; }
	getAppMeta(key) { return this.#metadata('app_metadata')[key]; }
	updateUser() { return this.#update('updateUser', this.updatedUserData); }
	updateUserMetadata() { return this.#update('updateUserMetadata', this.user.user_metadata); }
	updateAppMetadata() { return this.#update('updateAppMetadata', this.user.app_metadata); }
}

exports.Auth0RedirectRuleUtilities = Auth0RedirectRuleUtilities;
exports.Auth0UserUpdateUtilities = Auth0UserUpdateUtilities;
exports.noRedirectProtocols = noRedirectProtocols;
