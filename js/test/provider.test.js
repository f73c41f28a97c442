// The rules of the provider, with a fetch of the test and a clock that stands still.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { DelegationError, fromDelegation } from "../index.js";

const minute = 60_000;
const start = Date.parse("2026-03-01T12:00:00Z");
const lifetime = 60 * minute;

/** Fails a test in which the module prints something. Node says that its timers are new. */
const consoleMethods = ["debug", "error", "info", "log", "trace", "warn"];
beforeEach(() => {
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: start });
  for (const name of consoleMethods) mock.method(console, name, () => {});
});
afterEach(() => {
  const printed = consoleMethods
    .flatMap((name) => console[name].mock.calls.map((call) => String(call.arguments[0])))
    .filter((text) => !text.includes("MockTimers API is an experimental feature"));
  mock.timers.reset();
  mock.restoreAll();
  assert.deepEqual(printed, []);
});

/** Credentials of the service, the n-th ones. */
const issued = (n) => ({
  AccessKeyId: `ASIA${n}`,
  SecretAccessKey: `secret ${n}`,
  Token: `session token ${n}`,
  Expiration: new Date(Date.now() + lifetime).toISOString().replace(".000Z", "Z"),
  AccountId: "123456789012",
});

const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });

const refused = (status, code, headers) =>
  json(status, { code, message: `because of ${code}`, Code: code }, headers);

/** A service whose answer a test can change. It counts requests. */
function newService() {
  const service = {
    requests: [],
    answer: () => json(200, issued(service.requests.length)),
    fetch: async (url, request) => {
      service.requests.push({ url, ...request });
      return service.answer(request);
    },
  };
  return service;
}

/** A provider of a service, with options. */
const providerOf = (service, options = {}) =>
  fromDelegation({
    service: "https://delegation.example.com",
    target: "photo-app",
    idToken: () => "eyJ.alice.token",
    fetch: service.fetch,
    ...options,
  });

/** An answer that a test gives later. */
function later() {
  let give;
  const answer = new Promise((resolve) => {
    give = resolve;
  });
  return { answer, give };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("it succeeded");
};

test("credentials in the form of the AWS SDK", async () => {
  const service = newService();
  assert.deepEqual(await providerOf(service)(), {
    accessKeyId: "ASIA1",
    secretAccessKey: "secret 1",
    sessionToken: "session token 1",
    expiration: new Date(start + lifetime),
    accountId: "123456789012",
  });
  service.answer = () => json(200, { ...issued(1), AccountId: undefined });
  assert.equal("accountId" in (await providerOf(service)()), false);
});

test("the request has the token in its header, and nothing of the page", async () => {
  const service = newService();
  await providerOf(service)();
  const { url, signal, ...request } = service.requests[0];
  assert.equal(String(url), "https://delegation.example.com/credentials?target=photo-app");
  assert.ok(signal instanceof AbortSignal);
  assert.deepEqual(request, {
    headers: { Authorization: "Bearer eyJ.alice.token" },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
  });
});

test("role and parameters are in the query", async () => {
  const service = newService();
  await providerOf(service, {
    service: new URL("https://example.com/delegation//"),
    role: "arn:aws:iam::123456789012:role/photos",
    parameters: { album: "a&b;c" },
  })();
  assert.equal(
    String(service.requests[0].url),
    "https://example.com/delegation/credentials?album=a%26b%3Bc&target=photo-app" +
      "&role=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fphotos",
  );
  await providerOf(service, { target: undefined })();
  assert.equal(String(service.requests[1].url), "https://delegation.example.com/credentials");
});

test("callers at the same time share one request and one token", async () => {
  const service = newService();
  const idToken = mock.fn(async () => "token");
  const provider = providerOf(service, { idToken });
  const all = await Promise.all([provider(), provider(), provider({ forceRefresh: true })]);
  assert.deepEqual(all.map(({ accessKeyId }) => accessKeyId), ["ASIA1", "ASIA1", "ASIA1"]);
  assert.equal(service.requests.length, 1);
  assert.equal(idToken.mock.callCount(), 1);
});

test("a caller that changes its credentials changes only its own", async () => {
  const provider = providerOf(newService());
  const mine = await provider();
  mine.accessKeyId = "changed";
  mine.expiration.setTime(0);
  for (let use = 0; use < 2; use++) {
    const { expiration, ...rest } = await provider();
    assert.equal(rest.accessKeyId, "ASIA1");
    assert.equal(expiration.getTime(), start + lifetime);
    expiration.setTime(0);
  }
});

test("they are renewed in the last five minutes, and not before", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  mock.timers.tick(lifetime - 5 * minute - 1);
  assert.equal((await provider()).accessKeyId, "ASIA1");
  mock.timers.tick(1);
  assert.equal((await provider()).accessKeyId, "ASIA2");
  assert.equal((await provider()).accessKeyId, "ASIA2");
  assert.equal(service.requests.length, 2);
});

test("renewed credentials that end soon are renewed once in ten seconds", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  mock.timers.tick(lifetime - 4 * minute);
  service.answer = () =>
    json(200, { ...issued(2), Expiration: new Date(start + lifetime).toISOString() });
  for (let use = 0; use < 20; use++) assert.equal((await provider()).accessKeyId, "ASIA2");
  assert.equal(service.requests.length, 2);
  for (const [tick, requests] of [[9_999, 2], [1, 3], [0, 3]]) {
    mock.timers.tick(tick);
    await provider();
    assert.equal(service.requests.length, requests);
  }
  service.answer = () => json(200, issued(4));
  mock.timers.tick(10_000);
  assert.equal((await provider()).accessKeyId, "ASIA4");
  mock.timers.tick(lifetime - 5 * minute);
  await provider();
  assert.equal(service.requests.length, 5);
});

test("forceRefresh renews at once", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  assert.equal((await provider({ forceRefresh: true })).accessKeyId, "ASIA2");
  service.answer = () => refused(503, "temporarily_unavailable");
  assert.equal((await failure(provider({ forceRefresh: true }))).status, 503);
  assert.equal((await provider()).accessKeyId, "ASIA2");
});

const outages = {
  "a network error": () => Promise.reject(new TypeError("Failed to fetch")),
  "no token": () => Promise.reject(new Error("never called")),
  429: () => refused(429, "too_many_requests"),
  500: () => refused(500, "server_error"),
  503: () => refused(503, "temporarily_unavailable"),
  "a page of a proxy": () => new Response("<html>Forbidden</html>", { status: 403 }),
  "a captive portal": () => new Response("<html>Welcome</html>", { status: 200 }),
  "credentials without a secret": () => json(200, { ...issued(2), SecretAccessKey: undefined }),
};
for (const [name, answer] of Object.entries(outages)) {
  test(`credentials outlive ${name}, until they expire`, async () => {
    const service = newService();
    let signedIn = true;
    const idToken = () => (signedIn ? "token" : Promise.reject(new Error("offline")));
    const provider = providerOf(service, { idToken });
    await provider();
    if (name === "no token") signedIn = false;
    else service.answer = answer;
    mock.timers.tick(lifetime - 1);
    assert.equal((await provider()).accessKeyId, "ASIA1");
    mock.timers.tick(1);
    assert.ok((await failure(provider())) instanceof DelegationError);
    signedIn = true;
    service.answer = () => json(200, issued(3));
    assert.equal((await provider()).accessKeyId, "ASIA3");
  });
}

test("an unavailable service is asked once in ten seconds", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  service.answer = () => refused(503, "temporarily_unavailable", { "Retry-After": "2" });
  mock.timers.tick(lifetime - 4 * minute);
  for (const [tick, requests] of [[0, 2], [0, 2], [9_999, 2], [1, 3], [9_999, 3]]) {
    mock.timers.tick(tick);
    assert.equal((await provider()).accessKeyId, "ASIA1");
    assert.equal(service.requests.length, requests);
  }
});

test("a Retry-After above ten seconds is kept", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  service.answer = () => refused(429, "too_many_requests", { "Retry-After": "30" });
  mock.timers.tick(lifetime - 4 * minute);
  for (const [tick, requests] of [[0, 2], [29_999, 2], [1, 3]]) {
    mock.timers.tick(tick);
    await provider();
    assert.equal(service.requests.length, requests);
  }
});

test("a refusal ends the use of the credentials", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  mock.timers.tick(lifetime - 4 * minute);
  service.answer = () => refused(401, "unauthorized");
  assert.equal((await failure(provider())).code, "unauthorized");
  service.answer = () => refused(503, "temporarily_unavailable");
  assert.equal((await failure(provider())).code, "temporarily_unavailable");
});

test("after a failure the next call asks the service", async () => {
  const service = newService();
  const provider = providerOf(service);
  service.answer = () => refused(400, "invalid_grant");
  await failure(provider());
  service.answer = () => json(200, issued(2));
  assert.equal((await provider()).accessKeyId, "ASIA2");
});

test("the error has what the service said", async () => {
  const service = newService();
  service.answer = () =>
    refused(429, "too_many_requests", { "Retry-After": "7", "X-Request-ID": "01J" });
  const error = await failure(providerOf(service)());
  assert.ok(error instanceof DelegationError && error instanceof Error);
  assert.deepEqual(
    { ...error, message: error.message },
    {
      name: "DelegationError",
      message: "because of too_many_requests",
      code: "too_many_requests",
      status: 429,
      retryAfter: 7,
      requestId: "01J",
    },
  );
});

test("the error has what went wrong before the service answered", async () => {
  const broken = new TypeError("Failed to fetch");
  const signedOut = new Error("sign in first");
  for (const [code, cause, options] of [
    ["network_error", broken, { fetch: () => Promise.reject(broken) }],
    ["network_error", signedOut, { fetch: () => { throw signedOut; } }],
    ["no_id_token", signedOut, { idToken: () => Promise.reject(signedOut) }],
    ["no_id_token", signedOut, { idToken: () => { throw signedOut; } }],
    ["no_id_token", undefined, { idToken: () => undefined }],
    ["no_id_token", undefined, { idToken: () => "" }],
  ]) {
    const error = await failure(providerOf(newService(), options)());
    assert.equal(error.code, code);
    assert.equal(error.cause, cause);
    assert.equal(error.status, undefined);
  }
});

test("a body that breaks off is a network error", async () => {
  const service = newService();
  service.answer = () =>
    new Response(new ReadableStream({ start: (c) => c.error(new Error("reset")) }));
  assert.equal((await failure(providerOf(service)())).code, "network_error");
});

test("a 200 must have all of the credentials", async () => {
  for (const change of [
    { AccessKeyId: undefined }, { AccessKeyId: "" }, { SecretAccessKey: undefined },
    { Token: undefined }, { Token: 1 }, { Expiration: undefined }, { Expiration: "soon" },
    { Expiration: 1 },
  ]) {
    const service = newService();
    service.answer = () => json(200, { ...issued(1), ...change });
    const error = await failure(providerOf(service)());
    assert.deepEqual([error.code, error.status], ["invalid_answer", 200]);
  }
  for (const text of ["", "null", "[]", "7", "{"]) {
    const service = newService();
    service.answer = () => new Response(text);
    assert.equal((await failure(providerOf(service)())).code, "invalid_answer");
  }
});

test("credentials that have expired by the clock of this device are returned once", async () => {
  const service = newService();
  service.answer = () => json(200, { ...issued(1), Expiration: "2026-03-01T11:00:00Z" });
  const provider = providerOf(service);
  assert.equal((await provider()).accessKeyId, "ASIA1");
  await provider();
  assert.equal(service.requests.length, 2);
});

test("a service that does not answer is given up after the time-out", async () => {
  for (const [options, limit] of [[{}, 10_000], [{ timeout: 500 }, 500]]) {
    const service = newService();
    service.answer = () => new Promise(() => {});
    const call = failure(providerOf(service, options)());
    await settle();
    mock.timers.tick(limit - 1);
    await settle();
    assert.equal(service.requests[0].signal.aborted, false);
    mock.timers.tick(1);
    const error = await call;
    assert.equal(error.code, "timeout");
    assert.equal(error.message, `no answer from the service in ${limit / 1000} s`);
    assert.equal(service.requests[0].signal.aborted, true);
  }
});

test("the time-out also counts for the body, and not for the ID token", async () => {
  const service = newService();
  service.answer = () => new Response(new ReadableStream());
  const { answer, give } = later();
  const call = failure(providerOf(service, { idToken: () => answer })());
  mock.timers.tick(minute);
  give("token");
  await settle();
  assert.equal(service.requests.length, 1);
  mock.timers.tick(10_000);
  assert.equal((await call).code, "timeout");
});

test("the caller's signal ends a request, and later calls", async () => {
  const service = newService();
  service.answer = () => new Promise(() => {});
  const controller = new AbortController();
  const provider = providerOf(service, { signal: controller.signal });
  const call = failure(provider());
  await settle();
  const reason = new Error("the page was left");
  controller.abort(reason);
  assert.equal(await call, reason);
  assert.equal(service.requests[0].signal.aborted, true);
  assert.equal(await failure(provider()), reason);
  assert.equal(service.requests.length, 1);
});

test("the caller's signal ends a renewal: nobody gets the credentials from before", async () => {
  const service = newService();
  const controller = new AbortController();
  const provider = providerOf(service, { signal: controller.signal });
  await provider();
  mock.timers.tick(lifetime - minute);
  service.answer = () => new Promise(() => {});
  const call = failure(provider());
  await settle();
  const reason = new Error("the page was left");
  controller.abort(reason);
  assert.equal(await call, reason);
});

test("forget drops the credentials", async () => {
  const service = newService();
  let user = "alice";
  const provider = providerOf(service, { idToken: () => user });
  await provider();
  provider.forget();
  user = "bob";
  assert.equal((await provider()).accessKeyId, "ASIA2");
  assert.equal(service.requests[1].headers.Authorization, "Bearer bob");
});

test("forget ends a request of the user before, whose answer nobody gets", async () => {
  for (const ignoresSignal of [true, false]) {
    const service = newService();
    const alice = later();
    service.answer = ({ signal }) =>
      ignoresSignal
        ? alice.answer
        : Promise.race([
            alice.answer,
            new Promise((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason))),
          ]);
    const provider = providerOf(service);
    const call = failure(provider());
    await settle();
    provider.forget();
    service.answer = () => json(200, issued("bob"));
    const bob = provider();
    alice.give(json(200, issued("alice")));
    assert.equal((await call).code, "forgotten");
    assert.equal(service.requests[0].signal.aborted, true);
    assert.equal((await bob).accessKeyId, "ASIAbob");
    await settle();
    assert.equal((await provider()).accessKeyId, "ASIAbob");
    assert.equal(service.requests.length, 2);
  }
});

test("forget during a renewal: nobody gets the credentials from before", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  mock.timers.tick(lifetime - minute);
  service.answer = () => new Promise(() => {});
  const call = failure(provider());
  await settle();
  provider.forget();
  assert.equal((await call).code, "forgotten");
});

test("forget at any moment of a request", async () => {
  let ended = 0;
  for (let moment = 0; moment < 40; moment++) {
    const service = newService();
    const provider = providerOf(service);
    const call = provider().then(({ accessKeyId }) => accessKeyId, ({ code }) => code);
    for (let tick = 0; tick < moment; tick++) await null;
    provider.forget();
    const outcome = await Promise.race([call, settle().then(settle).then(() => "waits")]);
    assert.ok(["forgotten", "ASIA1"].includes(outcome), `moment ${moment}: ${outcome}`);
    if (outcome === "ASIA1") ended++;
    service.answer = () => json(200, issued("new"));
    assert.equal((await provider()).accessKeyId, "ASIAnew");
  }
  assert.ok(ended > 0 && ended < 40, `${ended} of 40 requests had ended`);
});

test("forget at any moment of a request that nothing answers", async () => {
  for (let moment = 0; moment < 40; moment++) {
    const service = newService();
    service.answer = () => new Promise(() => {});
    const provider = providerOf(service);
    const call = failure(provider());
    for (let tick = 0; tick < moment; tick++) await null;
    provider.forget();
    const error = await Promise.race([call, settle().then(settle)]);
    assert.equal(error?.code, "forgotten", `moment ${moment}`);
  }
});

test("forget while the ID token is awaited sends no request", async () => {
  const service = newService();
  const token = later();
  const provider = providerOf(service, { idToken: () => token.answer });
  const call = failure(provider());
  provider.forget();
  token.give("alice");
  assert.equal((await call).code, "forgotten");
  await settle();
  assert.equal(service.requests.length, 0);
});

test("forget after a failed renewal: the pause belongs to the user before", async () => {
  const service = newService();
  const provider = providerOf(service);
  await provider();
  mock.timers.tick(lifetime - minute);
  service.answer = () => refused(503, "temporarily_unavailable", { "Retry-After": "50" });
  await provider();
  provider.forget();
  service.answer = () =>
    json(200, { ...issued(3), Expiration: new Date(Date.now() + minute).toISOString() });
  await provider();
  for (const [tick, requests] of [[9_999, 3], [1, 4]]) {
    mock.timers.tick(tick);
    await provider();
    assert.equal(service.requests.length, requests);
  }
});

test("no timer and no listener is left", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const added = mock.method(signal, "addEventListener");
  const removed = mock.method(signal, "removeEventListener");
  const cleared = mock.method(globalThis, "clearTimeout");
  await providerOf(newService(), { signal })();
  assert.equal(added.mock.callCount(), 1);
  assert.deepEqual(removed.mock.calls[0].arguments, added.mock.calls[0].arguments);
  assert.equal(cleared.mock.callCount(), 1);
});

test("no error shows the token or the credentials", async () => {
  for (const answer of [
    () => refused(401, "unauthorized"),
    () => json(200, { ...issued(1), Expiration: "secret" }),
    () => new Response("secret", { status: 500 }),
    () => Promise.reject(new TypeError("Failed to fetch")),
  ]) {
    const service = newService();
    service.answer = answer;
    const error = await failure(providerOf(service)());
    const { inspect } = await import("node:util");
    const shown = inspect(error, { depth: 9, showHidden: true }).replaceAll(/^ +at .*$/gm, "");
    assert.doesNotMatch(shown, /eyJ|secret|session token|ASIA/);
  }
});

test("a wrong option is a TypeError at once", () => {
  const service = newService();
  for (const [options, said] of [
    [{ service: undefined }, /service is not an https URL/],
    [{ service: "delegation.example.com" }, /service is not an https URL/],
    [{ service: "http://delegation.example.com" }, /service is not an https URL/],
    [{ service: "http://127.0.0.1.example.com" }, /service is not an https URL/],
    [{ service: "http://localhost.example.com" }, /service is not an https URL/],
    [{ service: "ftp://localhost" }, /service is not an https URL/],
    [{ service: "https://alice@example.com" }, /service has a user/],
    [{ service: "https://:pass@example.com" }, /service has a user/],
    [{ service: "https://example.com/?target=a" }, /service has a user, a query/],
    [{ service: "https://example.com/#a" }, /service has a user, a query or a fragment/],
    [{ target: "" }, /target is not a text, or empty/],
    [{ target: 7 }, /target is not a text, or empty/],
    [{ role: "" }, /role is not a text, or empty/],
    [{ parameters: { album: 7 } }, /album is not a text, or empty/],
    [{ parameters: { album: undefined } }, /album is not a text, or empty/],
    [{ parameters: { role: "r" } }, /role is an option of its own/],
    [{ parameters: { target: "t" } }, /target is an option of its own/],
    [{ idToken: "eyJ" }, /idToken is not a function/],
    [{ timeout: 0 }, /timeout is not a number of milliseconds/],
    [{ timeout: -1 }, /timeout is not a number of milliseconds/],
    [{ timeout: NaN }, /timeout is not a number of milliseconds/],
    [{ timeout: 2 ** 31 }, /timeout is not a number of milliseconds/],
  ]) {
    assert.throws(() => providerOf(service, options), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, said);
      assert.doesNotMatch(error.message, /eyJ|pass/);
      return true;
    });
  }
  for (const address of [
    "http://localhost:8080", "http://app.localhost", "http://127.0.0.1:1", "http://127.9.9.9",
    "http://[::1]:8080/", "HTTPS://EXAMPLE.com/path/",
  ]) {
    providerOf(service, { service: address });
  }
});

test("the global fetch is used as a function of the window", async () => {
  const service = newService();
  mock.method(globalThis, "fetch", function (...request) {
    assert.equal(this, globalThis);
    return service.fetch(...request);
  });
  await providerOf(service, { fetch: undefined })();
  assert.equal(service.requests.length, 1);
});

test("clients of the AWS SDK keep no copy", () => {
  assert.equal(providerOf(newService()).memoized, true);
});
