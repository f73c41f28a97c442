// AWS credentials from an OpenID Connect ID token, by a service of delegation. They are renewed
// before they expire. index.d.ts documents what is exported.

const renewalWindow = 5 * 60_000; // milliseconds before the expiration; that of AWS's SDKs
const renewalPause = 10_000; // milliseconds; a Retry-After of the service may be longer
const defaultTimeout = 10_000; // milliseconds

export class DelegationError extends Error {
  /**
   * @param {string} message
   * @param {import("./index.d.ts").DelegationErrorDetails} details
   */
  constructor(message, { code, status, retryAfter, requestId, cause }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DelegationError";
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.requestId = requestId;
  }
}

/** @type {typeof import("./index.d.ts").fromDelegation} */
export function fromDelegation(options) {
  const settings = readSettings(options);
  let session = newSession();

  /** @type {import("./index.d.ts").DelegationProvider} */
  const provider = async ({ forceRefresh = false } = {}) => {
    settings.signal?.throwIfAborted();
    const mine = session;
    if (!forceRefresh && !needsRenewal(mine)) return copyOf(mine.credentials);
    try {
      await renew(mine, settings);
    } catch (error) {
      if (forceRefresh || !isValid(mine)) throw error;
    }
    mine.end.signal.throwIfAborted();
    settings.signal?.throwIfAborted();
    return copyOf(mine.credentials);
  };
  provider.forget = () => {
    const old = session;
    session = newSession();
    old.end.abort(
      new DelegationError("the credentials were forgotten during the request", {
        code: "forgotten",
      }),
    );
  };
  // Clients of the AWS SDK then keep no copy of their own, which forget() could not reach.
  provider.memoized = true;
  return provider;
}

// A session is what belongs to one signed-in user. A request that outlives its session changes
// nothing in the next one.
function newSession() {
  return {
    end: new AbortController(), // aborted by forget()
    credentials: undefined, // those of the last request that succeeded
    running: undefined, // the request that all callers share
    pauseEnds: 0, // time before which credentials that are still valid are not renewed
  };
}

function isValid({ credentials }) {
  return credentials !== undefined && credentials.expiration.getTime() > Date.now();
}

function needsRenewal(session) {
  if (!isValid(session)) return true;
  return isEnding(session.credentials) && Date.now() >= session.pauseEnds;
}

function isEnding({ expiration }) {
  return expiration.getTime() - Date.now() <= renewalWindow;
}

// renew replaces the credentials of a session. A refusal is about the user, so it ends the use of
// the old credentials, too. If the service cannot answer, they stay.
function renew(session, settings) {
  session.running ??= request(settings, session.end.signal)
    .then(
      (credentials) => {
        session.credentials = credentials;
        // The service may return credentials of its cache. Each call would ask for them.
        session.pauseEnds = isEnding(credentials) ? Date.now() + renewalPause : 0;
      },
      (error) => {
        if (isRefusal(error)) session.credentials = undefined;
        const asked = (error?.retryAfter ?? 0) * 1000;
        session.pauseEnds = Date.now() + Math.max(renewalPause, asked);
        throw error;
      },
    )
    .finally(() => {
      session.running = undefined;
    });
  return session.running;
}

function isRefusal(error) {
  if (!(error instanceof DelegationError)) return false;
  const { code, status } = error;
  if (code === "invalid_answer" || status === undefined) return false;
  return status < 500 && status !== 429;
}

// request asks the service once. It ends with the session, with the caller's signal, and after the
// time-out, which begins when the ID token is there.
async function request(settings, sessionEnd) {
  const controller = new AbortController();
  const { signal } = controller;
  const endings = [sessionEnd, settings.signal].filter(Boolean);
  const end = (event) => controller.abort(event.target.reason);
  for (const ending of endings) ending.addEventListener("abort", end);
  let timer;
  try {
    const token = await unlessAborted(signal, readToken(settings.idToken));
    timer = setTimeout(() => controller.abort(timedOut(settings.timeout)), settings.timeout);
    return await unlessAborted(signal, exchange(settings, token, signal));
  } finally {
    clearTimeout(timer);
    for (const ending of endings) ending.removeEventListener("abort", end);
  }
}

// unlessAborted also ends the wait for functions that ignore their signal.
function unlessAborted(signal, promise) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

async function readToken(idToken) {
  let token;
  try {
    token = await idToken();
  } catch (cause) {
    throw new DelegationError("the function idToken failed", { code: "no_id_token", cause });
  }
  if (typeof token === "string" && token !== "") return token;
  throw new DelegationError("the function idToken returned no token", { code: "no_id_token" });
}

async function exchange({ fetch, url }, token, signal) {
  let answer;
  let text;
  try {
    answer = await fetch(url, {
      headers: { Authorization: `Bearer ${token}` },
      cache: "no-store",
      credentials: "omit",
      redirect: "error", // the token is for this service alone
      referrerPolicy: "no-referrer",
      signal,
    });
    text = await answer.text();
  } catch (cause) {
    throw new DelegationError(
      "the service cannot be reached, or does not list the origin of this page",
      { code: "network_error", cause },
    );
  }
  const body = parse(text);
  if (!answer.ok) throw refusalOf(answer, body);
  return credentialsOf(answer, body);
}

function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function refusalOf(answer, { code, message }) {
  if (typeof code !== "string" || typeof message !== "string") return notOfTheService(answer);
  return new DelegationError(message, { code, ...detailsOf(answer) });
}

function credentialsOf(answer, body) {
  const expiration = new Date(body.Expiration);
  const texts = [body.AccessKeyId, body.SecretAccessKey, body.Token, body.Expiration];
  const complete = texts.every((text) => typeof text === "string" && text !== "");
  if (!complete || Number.isNaN(expiration.getTime())) throw notOfTheService(answer);
  const credentials = {
    accessKeyId: body.AccessKeyId,
    secretAccessKey: body.SecretAccessKey,
    sessionToken: body.Token,
    expiration,
  };
  return typeof body.AccountId === "string"
    ? { ...credentials, accountId: body.AccountId }
    : credentials;
}

// A proxy, a captive portal or another program answered.
function notOfTheService(answer) {
  return new DelegationError(`HTTP ${answer.status} is not an answer of the service`, {
    ...detailsOf(answer),
    code: "invalid_answer",
  });
}

function detailsOf(answer) {
  const seconds = Number(answer.headers.get("Retry-After") ?? NaN);
  return {
    status: answer.status,
    retryAfter: seconds >= 0 ? seconds : undefined,
    requestId: answer.headers.get("X-Request-ID") ?? undefined,
  };
}

function timedOut(milliseconds) {
  return new DelegationError(`no answer from the service in ${milliseconds / 1000} s`, {
    code: "timeout",
  });
}

// Callers may change what they get.
function copyOf(credentials) {
  return { ...credentials, expiration: new Date(credentials.expiration) };
}

// readSettings checks the options, so that a mistake shows when the page loads.
/** @param {import("./index.d.ts").DelegationOptions} options */
function readSettings({
  service, target, idToken, role, parameters = {}, timeout = defaultTimeout, signal, fetch,
}) {
  const url = serviceURL(service);
  const query = { ...parameters, target, role };
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined && (name === "target" || name === "role")) continue;
    if (typeof value !== "string" || value === "") {
      throw new TypeError(`delegation: ${name} is not a text, or empty`);
    }
    url.searchParams.set(name, value);
  }
  for (const name of ["target", "role"]) {
    if (name in parameters) throw new TypeError(`delegation: ${name} is an option of its own`);
  }
  if (typeof idToken !== "function") {
    throw new TypeError("delegation: idToken is not a function that returns the ID token");
  }
  if (!(timeout > 0 && timeout < 2 ** 31)) {
    throw new TypeError("delegation: timeout is not a number of milliseconds");
  }
  // Browsers want fetch called as a function of the window.
  fetch ??= (address, request) => globalThis.fetch(address, request);
  return { url, idToken, timeout, signal, fetch };
}

// serviceURL returns the address of the endpoint. ID tokens must not leave the machine unencrypted.
function serviceURL(service) {
  const url = URL.canParse(service) ? new URL(service) : undefined;
  const encrypted = url?.protocol === "https:";
  const local = url?.protocol === "http:" && isLoopback(url.hostname);
  if (!encrypted && !local) {
    throw new TypeError("delegation: service is not an https URL, or http of this machine");
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError("delegation: service has a user, a query or a fragment");
  }
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/credentials`;
  return url;
}

function isLoopback(host) {
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(host);
}
