// Signs in at the OpenID provider: authorization code with PKCE (RFC 7636), without a library.
// Tokens are in variables only. The secrets of a sign-in that is under way have to outlive the
// visit to the provider, so they are in sessionStorage. They can be used once, and only together
// with the code.

const pending = "album.sign-in";
const leeway = 60_000; // milliseconds before its end at which an ID token is renewed

// SignInEnded says that the user has to sign in again.
export class SignInEnded extends Error {}

// ProviderDown says that the OpenID provider does not answer.
export class ProviderDown extends Error {}

export function createSignIn({ issuer, clientId }) {
  const redirectURI = `${location.origin}/`;
  let endpoints; // promise of the provider's discovery document
  let tokens; // { idToken, refreshToken, claims }
  let renewal; // promise of the renewal under way
  let askWho = false; // after a sign-out, the next user may be another one

  function discover() {
    endpoints ??= fetchDiscovery(issuer).catch((error) => {
      endpoints = undefined;
      throw error;
    });
    return endpoints;
  }

  // begin leaves the page for the provider's login page.
  async function begin() {
    const { authorization_endpoint: login } = await discover();
    const attempt = { verifier: random(), state: random(), nonce: random() };
    sessionStorage.setItem(pending, JSON.stringify(attempt));
    const url = new URL(login);
    const parameters = {
      client_id: clientId,
      redirect_uri: redirectURI,
      response_type: "code",
      scope: "openid profile email offline_access",
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await challenge(attempt.verifier),
      code_challenge_method: "S256",
    };
    if (askWho) parameters.prompt = "login";
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    location.assign(url);
  }

  // finish redeems the code with which the provider has sent the user back. It returns false if the
  // user does not come from there.
  async function finish() {
    const answer = new URLSearchParams(location.search);
    const attempt = JSON.parse(sessionStorage.getItem(pending) ?? "null");
    sessionStorage.removeItem(pending);
    if (!answer.has("code") && !answer.has("error")) return false;
    history.replaceState(null, "", "/"); // the code must not be bookmarked
    if (!attempt || answer.get("state") !== attempt.state) {
      throw new SignInEnded("This sign-in was not begun in this tab, or it is over.");
    }
    if (answer.has("error")) {
      throw new SignInEnded(answer.get("error_description") ?? answer.get("error"));
    }
    tokens = await redeem({
      grant_type: "authorization_code",
      code: answer.get("code"),
      redirect_uri: redirectURI,
      code_verifier: attempt.verifier,
    }, { nonce: attempt.nonce });
    return true;
  }

  // redeem returns tokens. The provider has sent them itself, so their signature is not checked
  // here (OpenID Connect Core 1.0, section 3.1.3.7). The service checks it.
  async function redeem(grant, { nonce, before } = {}) {
    const { token_endpoint: endpoint } = await discover();
    const body = new URLSearchParams({ ...grant, client_id: clientId });
    const answer = await ask(endpoint, { method: "POST", body });
    const claims = claimsOf(answer.id_token ?? "..");
    const audience = [claims.aud].flat();
    if (claims.iss !== issuer || !audience.includes(clientId) ||
      (nonce !== undefined && claims.nonce !== nonce) ||
      (before !== undefined && claims.sub !== before.claims.sub)) {
      throw new SignInEnded("The provider has sent the ID token of another sign-in.");
    }
    const refreshToken = answer.refresh_token ?? before?.refreshToken;
    return { idToken: answer.id_token, refreshToken, claims };
  }

  // renew replaces the tokens, unless the user signs out in the meantime.
  async function renew() {
    const before = tokens;
    const grant = { grant_type: "refresh_token", refresh_token: before.refreshToken };
    const renewed = await redeem(grant, { before });
    if (tokens !== before) {
      await revoke(renewed).catch(() => {}); // the provider cannot be reached
      throw new SignInEnded("The user has signed out.");
    }
    tokens = renewed;
  }

  // idToken returns an ID token that has not expired.
  async function idToken() {
    if (!tokens) throw new SignInEnded("Nobody is signed in.");
    if (tokens.claims.exp * 1000 - Date.now() > leeway) return tokens.idToken;
    if (!tokens.refreshToken) throw new SignInEnded("The provider allows no silent renewal.");
    renewal ??= renew().finally(() => { renewal = undefined; });
    await renewal;
    return tokens.idToken;
  }

  // end forgets the tokens, and has the provider forget its refresh token.
  async function end() {
    const old = tokens;
    tokens = undefined;
    askWho = true;
    await revoke(old);
  }

  // revoke has the provider forget a refresh token.
  async function revoke(old) {
    const { revocation_endpoint: endpoint } = await discover();
    if (!endpoint || !old?.refreshToken) return;
    const body = new URLSearchParams({ token: old.refreshToken, client_id: clientId });
    await fetch(endpoint, { method: "POST", body, referrerPolicy: "no-referrer" });
  }

  return { begin, finish, idToken, end, user: () => tokens?.claims };
}

// fetchDiscovery returns the discovery document. Some issuers end with a slash, which is not
// doubled (OpenID Connect Discovery 1.0, section 4).
async function fetchDiscovery(issuer) {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const document = await ask(address);
  if (document.issuer === issuer) return document;
  throw new Error(`${address} is the document of another issuer: ${document.issuer}`);
}

// ask returns the JSON of the provider's answer.
async function ask(url, request = {}) {
  let answer;
  try {
    answer = await fetch(url, { ...request, cache: "no-store", referrerPolicy: "no-referrer" });
  } catch (cause) {
    throw new ProviderDown("the OpenID provider does not answer", { cause });
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status >= 500) throw new ProviderDown(`the OpenID provider: HTTP ${answer.status}`);
  if (body.error === "invalid_grant") throw new SignInEnded(""); // the code or token is over
  throw new SignInEnded(body.error_description ?? body.error ?? `HTTP ${answer.status}`);
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function challenge(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(digest));
}

function claimsOf(token) {
  const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes) || "{}");
}
