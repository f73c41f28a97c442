// Serves dist on loopback, reads every page of it in headless Chromium, and reports what it saw.
// The test that starts it decides what is right.
//
//	stdin   {"searches": ["…"], "audited": ["index.html", …], "shots": []}
//	stdout  {"pages": [{"url", "heading", "pictures"}], "broken", "overflow", "messages", "hosts",
//	        "searches": [{"words", "pages"}], "findings", "unsure", "keyboard", "audits"}
//
// With "shots", a list of {"file", "url", "width", "height", "scheme"}, it only takes pictures.
//
// The browser reaches 127.0.0.1 and no other host. CHROMIUM names another browser than Debian's.
import { createReadStream, readFileSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const totalLimit = 900_000; // milliseconds, for everything
const stepLimit = 120_000; // milliseconds, for one thing that has to appear
const narrow = 375;
const wide = 1280;
// The site is not at the top of its host on GitHub Pages either.
const prefix = "/delegation/";

const fail = (why) => {
  process.stderr.write(`site driver: ${why}\n`);
  process.exit(1); // playwright ends the browser
};

let step = "reading stdin";
setTimeout(() => fail(`not done after ${totalLimit / 1000} s: ${step}`), totalLimit);

const dist = fileURLToPath(new URL("dist", import.meta.url));
const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

const types = {
  ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
  ".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json",
  ".wasm": "application/wasm",
};

// serve answers as a server of static files does.
function serve() {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://127.0.0.1");
    const file = path.join(dist, decodeURIComponent(pathname.slice(prefix.length)) || "index.html");
    const there = pathname.startsWith(prefix) && file.startsWith(dist) &&
      statSync(file, { throwIfNoEntry: false })?.isFile();
    const type = types[path.extname(file)] ?? "application/octet-stream";
    response.writeHead(there ? 200 : 404, { "Content-Type": there ? type : "text/plain" });
    if (there) createReadStream(file).pipe(response);
    else response.end();
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

const report = {
  pages: [], broken: [], overflow: [], messages: [], hosts: [], searches: [], findings: [],
  unsure: [], keyboard: {}, audits: 0,
};

async function open(browser, { width, height = 800, scheme = "light" }) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce",
  });
  context.on("console", (message) => {
    report.messages.push(`${message.location().url}: ${message.type()}: ${message.text()}`);
  });
  context.on("weberror", (error) => report.messages.push(`exception: ${error.error().stack}`));
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "data:" && !report.hosts.includes(hostname)) report.hosts.push(hostname);
  });
  context.on("response", (response) => {
    if (response.status() >= 400) report.messages.push(`${response.status()} ${response.url()}`);
  });
  const page = await context.newPage();
  page.setDefaultTimeout(stepLimit);
  return page;
}

// read opens every page, and then follows every link to another page or section on paper: it looks
// for the page and the id in what was read.
async function read(browser, url) {
  const page = await open(browser, { width: narrow });
  const seen = new Map(); // ids by page
  const links = [];
  for (const name of pageNames()) {
    step = `reading ${name}`;
    await page.goto(url + name);
    const found = await page.evaluate(() => ({
      heading: document.querySelector("main h1")?.innerText ?? "",
      pictures: [...document.images].filter((image) => image.naturalWidth > 0).length,
      unseen: [...document.images].filter((image) => image.naturalWidth === 0).length,
      ids: [...document.querySelectorAll("[id], a[name]")].map((e) => e.id || e.name),
      links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
      width: document.scrollingElement.scrollWidth,
    }));
    if (found.width > narrow) report.overflow.push(`${name}: ${found.width} pixels`);
    if (found.unseen > 0) report.broken.push(`${name}: ${found.unseen} pictures`);
    seen.set(name, new Set(found.ids));
    links.push(...found.links.map((link) => ({ name, link })));
    report.pages.push({ url: name, heading: found.heading, pictures: found.pictures });
  }
  for (const { name, link } of links) {
    if (!link.startsWith(url)) continue;
    const [to, id] = link.slice(url.length).split("#");
    const ids = seen.get(to || "index.html");
    if (!ids || (id && !ids.has(decodeURIComponent(id)))) {
      report.broken.push(`${name}: ${link.slice(url.length)}`);
    }
  }
  await page.context().close();
}

function pageNames(folder = "") {
  return readdirSync(path.join(dist, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return name === "pagefind" ? [] : pageNames(name);
    return name.endsWith(".html") ? [name] : [];
  });
}

async function find(page, words) {
  step = `searching ${words}`;
  await page.keyboard.press("/");
  await page.locator("#query").fill("");
  await page.locator("#results").waitFor({ state: "hidden" });
  await page.keyboard.type(words);
  await page.locator("#results li").first().waitFor();
  return page.locator("#results a").evaluateAll((links) => links.map((a) => a.href));
}

// search asks from a page deep in the site, so that addresses are told apart from its own.
async function search(browser, url, searches) {
  const page = await open(browser, { width: wide });
  await page.goto(`${url}repository/README.html`);
  for (const words of searches) {
    const pages = await find(page, words);
    report.searches.push({ words, pages: pages.map((link) => link.slice(url.length)) });
  }
  step = "using the keyboard";
  const [first] = await find(page, searches[0]);
  await page.keyboard.press("ArrowDown");
  report.keyboard.firstResult = await page.evaluate(
    (first) => document.activeElement.href === first, first);
  report.keyboard.outline = await page.evaluate(
    () => parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2);
  await page.keyboard.press("Escape");
  report.keyboard.closed = await page.locator("#results").isHidden();
  report.keyboard.back = await page.evaluate(() => document.activeElement.id === "query");
  await find(page, searches[0]);
  await Promise.all([page.waitForURL(first), page.keyboard.press("Enter")]);
  await page.goto(`${url}index.html`);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  report.keyboard.skipped = await page.evaluate(() => document.activeElement.id === "content");
  await page.context().close();
}

// audit runs every rule of axe-core, best practices and target sizes too. What it cannot decide is
// in unsure.
async function audit(page, state) {
  step = `axe-core: ${state}`;
  await page.evaluate(axe);
  const { findings, unsure } = await page.evaluate(async () => {
    const options = { rules: { "target-size": { enabled: true } } };
    const { violations, incomplete } = await window.axe.run(document, options);
    const lines = (results) => results.flatMap(({ id, nodes }) => nodes.map(
      ({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`));
    return { findings: lines(violations), unsure: lines(incomplete) };
  });
  report.findings.push(...findings.map((line) => `${state}: ${line}`));
  report.unsure.push(...unsure.map((line) => `${state}: ${line}`));
  report.audits++;
}

// audits checks all pages narrow and light, and wide and dark. Of the other two combinations, the
// first page and the search are enough: the same styles meet there.
async function audits(browser, url, names, words) {
  for (const [width, scheme, some] of [
    [narrow, "light", names], [wide, "dark", names],
    [narrow, "dark", names.slice(0, 1)], [wide, "light", names.slice(0, 1)],
  ]) {
    const page = await open(browser, { width, scheme });
    for (const name of some) {
      await page.goto(url + name);
      await audit(page, `${name}, ${width}, ${scheme}`);
    }
    await find(page, words);
    await audit(page, `search, ${width}, ${scheme}`);
    const scrolled = await page.evaluate(() => document.scrollingElement.scrollWidth);
    if (scrolled > width) report.overflow.push(`search, ${width}: ${scrolled} pixels`);
    await page.context().close();
  }
}

async function shoot(browser, url, { file, url: name, words, ...view }) {
  const page = await open(browser, view);
  await page.goto(url + name);
  if (words) await find(page, words);
  await page.screenshot({ path: file });
  await page.context().close();
}

const { searches = [], audited = [], shots = [] } = JSON.parse(await text(process.stdin));
const server = await serve();
const url = `http://127.0.0.1:${server.address().port}${prefix}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
try {
  for (const shot of shots) await shoot(browser, url, shot);
  if (shots.length === 0) {
    await read(browser, url);
    await search(browser, url, searches);
    await audits(browser, url, audited, searches[0]);
    process.stdout.write(JSON.stringify(report));
  }
} catch (error) {
  fail(`${step}: ${error.stack}`);
}
await browser.close();
server.close();
process.exit(0);
