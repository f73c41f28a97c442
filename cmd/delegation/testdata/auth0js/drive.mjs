// Calls the real auth0-js 7, or 9, in headless Chromium, on a page of another origin than the service's, and says what the client
// reported and what it sent.
//
//	stdin   {"domain": "127.0.0.1:PORT", "clientID": "...", "origin": "http://app.localhost",
//	         "scenarios": [{"name": "...", "options": {options of getDelegationToken}, "domain": "instead of the one above",
//	                       "version": 9, for options of auth0-js 9's Authentication.delegation}]}
//	stdout  [{"name", "error", "result", "requests": [{"method", "url", "status", "failure", "requestHeaders", "postData"}]}]
//
// "error" and "result" are the callback's arguments, null for none; of an Error, its own properties but the stack. "status" is
// what the service answered, also where the browser kept it from the client, and 0 without an answer; "failure" is why the
// browser gave the client nothing. Header names are in lower case.
//
// The browser reaches 127.0.0.1 and the page, no other host. Nothing is downloaded; CHROMIUM names another browser than Debian's.
// Exit status 0: every callback was called, and auth0-js 7 tried neither JSONP nor a preflight. Otherwise stderr says why, and stdout
// is empty.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { chromium } from "playwright-core";

const totalLimit = 120_000; // milliseconds, for everything
const callLimit = 20_000; // milliseconds, for one scenario: auth0-js itself would wait for ever

// Leaving is enough to end the browser: playwright kills it when this process exits, and it ends itself when its pipe closes.
const fail = (why) => {
  process.stderr.write(`auth0-js driver: ${why}\n`);
  process.exit(1);
};

let step = "reading stdin";
let preflights = false; // whether the present scenario may send them
setTimeout(() => fail(`not done after ${totalLimit / 1000} s: ${step}`), totalLimit);

function checked(input) {
  const { domain, clientID, origin, scenarios } = input ?? {};
  for (const [name, value] of Object.entries({ domain, clientID, origin })) {
    if (typeof value !== "string" || value === "") throw new Error(`"${name}" is missing`);
  }
  const page = new URL(origin);
  if (page.protocol !== "http:" || page.origin !== origin || page.hostname === "127.0.0.1") {
    throw new Error(`"origin" is not http:// and a name, such as http://app.localhost`);
  }
  if (!Array.isArray(scenarios) || scenarios.length === 0) throw new Error(`"scenarios" is empty`);
  for (const scenario of scenarios) {
    if (!scenario?.name || !scenario.options) throw new Error(`a scenario has no "name" or no "options"`);
  }
  return { domain, clientID, origin, scenarios };
}

// bundle makes one script of the package, which is published as CommonJS modules only. Its entry sets window.Auth0.
function bundle() {
  const built = buildSync({
    entryPoints: [fileURLToPath(import.meta.resolve("auth0-js/standalone.js"))],
    bundle: true,
    format: "iife",
    platform: "browser",
    define: { global: "window" },
    write: false,
  });
  return built.outputFiles[0].text;
}

// serve answers for the page's origin on a free port and returns that port.
async function serve(scripts) {
  const tags = Object.keys(scripts).map((path) => `<script src="${path}"></script>`).join("");
  const page = `<!doctype html><link rel="icon" href="data:,">${tags}`;
  const server = createServer((request, response) => {
    const script = scripts[request.url];
    response.setHeader("Content-Type", script ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8");
    response.end(script ?? page);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

// watch records requests as the network stack saw them; playwright's own events leave out preflights and answers without
// CORS. It returns a function that waits until the requests so far are complete, and takes them.
async function watch(context, page) {
  let sent = [];
  const records = new Map();
  const record = (id) => {
    if (!records.has(id)) records.set(id, { status: 0, failure: "" });
    return records.get(id);
  };
  const lowerCase = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

  const events = {
    requestWillBeSent({ requestId, request: { method, url, postData = "", headers }, redirectResponse }) {
      if (redirectResponse) fail(`${step}: the service redirected to ${url}`);
      if (new URL(url).searchParams.has("cbx")) fail(`${step}: auth0-js fell back to JSONP, the token in its URL`);
      if (method === "OPTIONS" && !preflights) fail(`${step}: auth0-js sent what needs a preflight`);
      sent.push(Object.assign(record(requestId), { method, url, postData, headers: lowerCase(headers) }));
    },
    // The headers that really went out, Origin and Cookie among them, come separately, before or after.
    requestWillBeSentExtraInfo({ requestId, headers }) {
      record(requestId).wireHeaders = lowerCase(headers);
    },
    responseReceived({ requestId, response }) {
      record(requestId).status = response.status;
    },
    // The only news of an answer that the browser kept from the page.
    responseReceivedExtraInfo({ requestId, statusCode }) {
      record(requestId).status = statusCode;
    },
    loadingFinished({ requestId }) {
      record(requestId).ended = true;
    },
    loadingFailed({ requestId, errorText, corsErrorStatus }) {
      const failure = corsErrorStatus?.corsError ?? errorText;
      Object.assign(record(requestId), { ended: true, cors: !!corsErrorStatus, failure });
    },
  };
  let changed = () => {};
  const cdp = await context.newCDPSession(page);
  for (const [name, handle] of Object.entries(events)) {
    cdp.on(`Network.${name}`, (event) => {
      handle(event);
      changed();
    });
  }
  await cdp.send("Network.enable", { maxPostDataSize: 1 << 20 });

  // A connection that failed has no status to wait for, and may have no headers.
  const complete = (r) => r.ended && ((r.failure && !r.cors) || (r.wireHeaders && r.status));
  return async () => {
    while (!sent.every(complete)) await new Promise((resolve) => (changed = resolve));
    const taken = sent.map(({ method, url, status, failure, wireHeaders, headers, postData }) => (
      { method, url, status, failure, requestHeaders: wireHeaders ?? headers, postData }));
    sent = [];
    return taken;
  };
}

// call runs in the page.
function call({ domain, clientID, options, version }) {
  const plain = (value) => {
    if (!(value instanceof Error)) return JSON.parse(JSON.stringify(value ?? null));
    const names = Object.getOwnPropertyNames(value).filter((name) => name !== "stack");
    return Object.fromEntries(names.map((name) => [name, value[name]]));
  };
  return new Promise((resolve) => {
    const done = (error, result) => resolve({ error: plain(error), result: plain(result) });
    if (version === 9) {
      new window.auth0.Authentication({ domain, clientID }).delegation(options, done);
    } else {
      new window.Auth0({ domain, clientID }).getDelegationToken(options, done);
    }
  });
}

async function drive() {
  const { domain, clientID, origin, scenarios } = checked(JSON.parse(await text(process.stdin)));

  step = "bundling auth0-js";
  const published = fileURLToPath(import.meta.resolve("auth0-js-9/dist/auth0.min.js"));
  const port = await serve({ "/auth0-7.js": bundle(), "/auth0-9.js": readFileSync(published, "utf8") });

  step = "starting the browser";
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-proxy-server",
      `--host-resolver-rules=MAP ${new URL(origin).hostname} 127.0.0.1:${port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
    ],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true }); // the service's certificate is self-signed
  const page = await context.newPage();
  page.on("pageerror", (error) => fail(`${step}: the page threw ${error}`));
  page.on("crash", () => fail(`${step}: the page crashed`));

  step = "opening the page";
  await page.goto(origin);
  const requests = await watch(context, page);

  const report = [];
  for (const { name, options, version, domain: other } of scenarios) {
    step = `scenario ${JSON.stringify(name)}`;
    preflights = version === 9;
    const limit = setTimeout(() => fail(`${step}: no callback or no end of a request in ${callLimit / 1000} s`), callLimit);
    const { error, result } = await page.evaluate(call, { domain: other ?? domain, clientID, options, version });
    report.push({ name, error, result, requests: await requests() });
    clearTimeout(limit);
  }

  step = "closing the browser";
  await browser.close();
  process.stdout.write(JSON.stringify(report, null, 2) + "\n", () => process.exit(0)); // the page's server is still open
}

drive().catch((error) => fail(`${step}: ${error.message}`));
