// Uses the demo's page in headless Chromium as a newcomer does, checks it with axe-core, and
// reports what it saw. The test that starts it decides what is right.
//
//	stdin   {"url": "http://127.0.0.1:PORT/", "shots": []}
//	stdout  {"views": [{"width", "scheme", "visits", "focus", "secrets", "console", "findings",
//	        "unsure", "overflow", "messages", "gone", "hosts"}]}
//
// With "shots", a list of {"file", "width", "height", "scheme"}, it only signs in as Alice and
// writes a picture for each. The fonts are the machine's.
//
// The browser reaches 127.0.0.1 and no other host. CHROMIUM names another browser than Debian's.
// Exit status 0: everything that it looked for was there. Otherwise stderr says what was missing.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const totalLimit = 480_000; // milliseconds, for everything
const stepLimit = 120_000; // milliseconds, for one thing that has to appear

const fail = (why) => {
  process.stderr.write(`demo page driver: ${why}\n`);
  process.exit(1); // playwright ends the browser
};

let step = "reading stdin";
setTimeout(() => fail(`not done after ${totalLimit / 1000} s: ${step}`), totalLimit);

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

// open returns a page of its own context, and the list of what its console says.
async function open(browser, url, { width, height, scheme }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: "reduce", // so that no colour is measured half-way
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const messages = [];
  const hosts = new Set();
  context.on("console", (message) => {
    if (message.type() !== "log") messages.push(`${message.type()}: ${message.text()}`);
  });
  context.on("weberror", (error) => messages.push(`exception: ${error.error().message}`));
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "data:") hosts.add(hostname);
  });
  const page = await context.newPage();
  page.setDefaultTimeout(stepLimit);
  await page.goto(url);
  await page.locator("[data-user=alice]").waitFor();
  return { context, page, messages, hosts };
}

// audit runs every rule of axe-core, best practices and target sizes too. What it cannot decide is
// in unsure.
async function audit(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const options = { rules: { "target-size": { enabled: true } } };
    const { violations, incomplete } = await window.axe.run(document, options);
    const lines = (results) => results.flatMap(({ id, nodes }) => nodes.map(
      ({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`));
    return { findings: lines(violations), unsure: lines(incomplete) };
  });
}

// visit signs in as a user and says what the page shows.
async function visit(page, user) {
  const [response] = await Promise.all([
    page.waitForResponse((r) => new URL(r.url()).pathname === "/demo/exchange"),
    page.locator(`[data-user=${user}]`).press("Enter"),
  ]);
  await page.locator(`[data-user=${user}][aria-pressed=true]`).waitFor();
  return { ...(await seen(page)), user, answer: (await response.json()).answer };
}

const seen = (page) => page.evaluate(() => ({
  status: document.querySelector("#status strong").textContent,
  steps: [...document.querySelectorAll(".step")].map((li) => li.classList[1]),
  times: [...document.querySelectorAll(".step .time")].map((time) => time.textContent),
  caller: document.querySelector("#caller").innerText,
  operator: document.querySelector("#operator").innerText,
}));

// walk presses Tab and says what has the focus, and whether one sees it.
async function walk(page, times) {
  const stops = [];
  for (let i = 0; i < times; i++) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      const visible = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
      return { name: document.activeElement.textContent.trim(), visible };
    }));
  }
  return stops;
}

// secrets shows, hides and copies each secret of the page.
async function secrets(page, { answer }, token) {
  const report = [];
  const visible = (secret) => page.evaluate(
    (secret) => document.body.innerText.includes(secret), secret);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  for (const [name, secret] of [
    ["the secret access key", answer.Credentials.SecretAccessKey],
    ["the session token", answer.Credentials.SessionToken],
    ["the ID token", token],
  ]) {
    const before = await visible(secret);
    await page.getByRole("button", { name: `Show ${name}` }).click();
    const shown = await visible(secret);
    await page.getByRole("button", { name: `Hide ${name}` }).click();
    const after = await visible(secret);
    await page.getByRole("button", { name: `Copy ${name}` }).click();
    await page.getByText(`Copied ${name}.`).waitFor({ state: "attached" });
    report.push({ name, before, shown, after, copied: (await copied()) === secret });
  }
  await page.getByRole("button", { name: "Copy as export lines" }).click();
  await page.getByText("Copied the credentials as export lines.").waitFor({ state: "attached" });
  const lines = await copied();
  report.push({ name: "export lines", copied: lines.includes(answer.Credentials.SessionToken) });
  return report;
}

// consoleLink opens the console link in a new tab.
async function consoleLink(context, page) {
  await page.getByRole("button", { name: "Get a console link" }).click();
  const link = page.getByRole("link", { name: "Open the AWS console" });
  await link.waitFor();
  const focused = await link.evaluate((a) => a === document.activeElement);
  const [tab] = await Promise.all([context.waitForEvent("page"), link.click()]);
  await tab.waitForLoadState();
  const { hostname } = new URL(tab.url());
  const heading = await tab.locator("h1").innerText();
  const { findings, unsure } = await audit(tab);
  await tab.close();
  return { focused, hostname, heading, findings: [...findings, ...unsure] };
}

// view tries all of the page at one width, in one colour scheme.
async function view(browser, url, width, scheme) {
  const { context, page, messages, hosts } = await open(
    browser, url, { width, height: 800, scheme });
  const report = { width, scheme, visits: [], findings: [], unsure: [], overflow: [] };
  const check = async (state) => {
    step = `${width} ${scheme}: ${state}`;
    const { findings, unsure } = await audit(page);
    report.findings.push(...findings.map((finding) => `${state}: ${finding}`));
    report.unsure.push(...unsure.map((finding) => `${state}: ${finding}`));
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) report.overflow.push(`${state}: ${over} pixels`);
  };

  await check("nobody");
  report.focus = await walk(page, 8);
  const tokenOf = page.waitForResponse((r) => new URL(r.url()).pathname === "/token");
  const alice = await visit(page, "alice");
  report.visits.push(alice);
  await check("alice");
  report.secrets = await secrets(page, alice, await (await tokenOf).text());
  report.console = await consoleLink(context, page);
  await page.getByRole("button", { name: "Exchange the same token again" }).click();
  await page.getByText("Alice has AWS credentials, from the cache.").waitFor();
  report.visits.push({ ...(await seen(page)), user: "alice again" });
  await check("cached");
  for (const user of ["bob", "mallory", "dave", "eve", "carol"]) {
    report.visits.push(await visit(page, user));
    for (const summary of await page.locator("summary").all()) await summary.click();
    await check(user);
  }
  for (const visited of report.visits) delete visited.answer;
  report.messages = [...messages]; // without those of the browser about a service that is gone
  step = `${width} ${scheme}: without the service`;
  await context.setOffline(true);
  await page.locator("[data-user=alice]").press("Enter");
  await page.getByText("The demo does not answer.").waitFor();
  report.gone = await page.locator("#status").innerText();
  await context.close();
  return { ...report, hosts: [...hosts] };
}

// shoot writes a picture of the page after Alice has signed in. Carol is first, so that no step
// does something for the first time.
async function shoot(browser, url, shot) {
  const { context, page } = await open(browser, url, shot);
  await visit(page, "carol");
  await visit(page, "alice");
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: shot.file });
  await context.close();
}

async function drive() {
  const { url, shots } = JSON.parse(await text(process.stdin));
  step = "starting the browser";
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  const views = [];
  for (const shot of shots) await shoot(browser, url, shot);
  if (shots.length === 0) {
    for (const width of [375, 1280]) {
      for (const scheme of ["light", "dark"]) views.push(await view(browser, url, width, scheme));
    }
  }
  step = "closing the browser";
  await browser.close();
  process.stdout.write(`${JSON.stringify({ views }, null, 2)}\n`, () => process.exit(0));
}

drive().catch((error) => fail(`${step}: ${error.message}`));
