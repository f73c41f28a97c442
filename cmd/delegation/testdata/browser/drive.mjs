// Opens pages in headless Chromium and calls functions of theirs, with the browser's clock set.
//
//	stdin   {"hosts": {"app.example.com": "127.0.0.1:PORT", …},
//	         "calls": [{"page": "https://app.example.com/", "token": "the ID token", "down": false,
//	                    "clock": milliseconds, "name": "list", "args": []}]}
//	stdout  [{"result", "error", "requests": [{"method", "url"}]}]
//
// A page keeps its state from call to call, and is loaded anew for a call of another page. "clock"
// is what the page's Date says during the call. With "down" delegation.example.com cannot
// be reached. "error" has the code and the message of what the function threw.
// "requests" are those of the page's scripts, without preflights.
//
// The browser reaches the hosts that are listed and no other. CHROMIUM names another browser than
// Debian's. Exit status 0: every call has ended. Otherwise stderr says why.
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const service = "https://delegation.example.com/**";
const totalLimit = 100_000; // milliseconds, for everything

const fail = (why) => {
  process.stderr.write(`browser driver: ${why}\n`);
  process.exit(1); // playwright ends the browser
};

let step = "reading stdin";
setTimeout(() => fail(`not done after ${totalLimit / 1000} s: ${step}`), totalLimit);

// invoke runs in the page.
async function invoke({ token, name, args }) {
  window.token = token;
  try {
    return { result: (await window.photos[name](...args)) ?? null, error: null };
  } catch (error) {
    return { result: null, error: { code: String(error.code ?? ""), message: error.message } };
  }
}

async function drive() {
  const { hosts, calls } = JSON.parse(await text(process.stdin));
  const rules = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`);

  step = "starting the browser";
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-proxy-server", `--host-resolver-rules=${[...rules, "MAP * ~NOTFOUND"].join(", ")}`],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true }); // self-signed certificates
  const page = await context.newPage();
  page.on("pageerror", (error) => fail(`${step}: the page threw ${error}`));
  page.on("crash", () => fail(`${step}: the page crashed`));
  let requests = [];
  page.on("request", (request) => {
    if (request.resourceType() !== "fetch") return;
    requests.push({ method: request.method(), url: request.url() });
  });

  const report = [];
  let open = "";
  for (const { page: url, clock, down, ...call } of calls) {
    step = `call ${report.length + 1}, of ${call.name} in ${url}`;
    if (open !== url) {
      await page.goto(url);
      await page.waitForFunction(() => window.photos);
      open = url;
    }
    await page.clock.setFixedTime(clock);
    await page.unroute(service);
    if (down) await page.route(service, (route) => route.abort("connectionrefused"));
    requests = [];
    const outcome = await page.evaluate(invoke, call);
    report.push({ ...outcome, requests });
  }

  step = "closing the browser";
  await browser.close();
  process.stdout.write(JSON.stringify(report) + "\n", () => process.exit(0));
}

drive().catch((error) => fail(`${step}: ${error.message}`));
