// Uses the album in headless Chromium as a person does, and reports what it saw. The test that
// starts it decides what is right.
//
//	stdin   {"url": "http://127.0.0.1:PORT", "scenario": "users", "width": 1280,
//	         "scheme": "light", "shots": "folder for pictures, or empty"}
//	stdout  what the scenario returns, and "messages" of the browser's console, "violations" of the
//	        content security policy, and "hosts" that were called
//
// The browser reaches 127.0.0.1 and no other host. CHROMIUM names another browser than Debian's.
// Exit status 0: everything that it looked for was there. Otherwise stderr says what was missing.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const totalLimit = 240_000; // milliseconds, for everything
const stepLimit = 60_000; // milliseconds, for one thing that has to appear

const fail = (why) => {
  process.stderr.write(`album driver: ${why}\n`);
  process.exit(1); // playwright ends the browser
};

let step = "reading stdin";
setTimeout(() => fail(`not done after ${totalLimit / 1000} s: ${step}`), totalLimit);

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

// album is the page in a browser window of its own.
class Album {
  constructor({ context, page, settings, url }) {
    Object.assign(this, { context, page, settings, url });
  }

  find(selector) {
    return this.page.locator(selector);
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  rule(name) {
    return this.page.getByRole("switch", { name });
  }

  // signIn goes to the login page and chooses a user there.
  async signIn(user) {
    step = `signing in as ${user}`;
    await this.find("#sign-in").click();
    await this.page.getByRole("button", { name: new RegExp(`as ${user}`, "i") }).click();
    await this.find("#full-name").waitFor();
  }

  async signOut() {
    await this.button("Sign out").click();
    await this.find("#welcome").waitFor();
  }

  // upload chooses files, and waits until they are in the album.
  async upload(...files) {
    await this.page.setInputFiles("#files", files);
    for (const { name } of files) await this.photo(name).waitFor();
  }

  photo(name) {
    return this.find(`.photo.loaded[data-name="${name}"]`);
  }

  photos() {
    return this.page.evaluate(
      () => [...document.querySelectorAll(".photo")].map(({ dataset }) => dataset.name).sort());
  }

  text(selector) {
    return this.find(selector).innerText();
  }

  // advance moves the time of the album and of the browser. The album is first: a browser ahead of
  // it would get tokens of the future.
  async advance(seconds) {
    const answer = await fetch(`${this.url}/clock`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ advance_seconds: seconds }),
    });
    if (!answer.ok) throw new Error(`POST /clock: HTTP ${answer.status}`);
    await this.page.clock.fastForward(seconds * 1000);
  }

  // cut ends the connection to a server of the settings, or mends it again.
  async cut(server, off = true) {
    const at = (url) => url.href.startsWith(this.settings[server]);
    if (off) await this.context.route(at, (route) => route.abort());
    else await this.context.unrouteAll();
  }
}

// picture returns a PNG file of one color, with some noise so that it has a size.
async function picture(page, name, color, side = 64) {
  const base64 = await page.evaluate(async ({ color, side }) => {
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, side, side);
    const noise = context.getImageData(0, 0, side, side / 2);
    let state = 1;
    for (let i = 0; i < noise.data.length; i++) {
      state = (state * 1664525 + 1013904223) % 2 ** 32;
      if (i % 4 !== 3) noise.data[i] = state >>> 24;
    }
    context.putImageData(noise, 0, side / 2);
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, { color, side });
  return { name, mimeType: "image/png", buffer: Buffer.from(base64, "base64") };
}

const isList = (url) => url.searchParams.get("list-type") === "2";
const isPut = (request) => request.method() === "PUT";
const isSmall = (request) => request.url().includes("/.thumbnails/");
const isRevocation = (request) => request.url().endsWith("/revoke");

// signal makes something to wait for.
function signal() {
  let give;
  const given = new Promise((resolve) => { give = resolve; });
  return { give, given };
}

// ---- Scenarios

const scenarios = {
  // Two users in turn, with files of the same name.
  async users(album) {
    const { page } = album;
    const report = {};
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    report.progress = await slowUpload(album, await picture(page, "cat.png", "#cc5533", 384));
    await album.upload(await picture(page, "dog.png", "#335577"));
    report.alice = await album.photos();
    report.aliceIs = await album.text("#identity .arn");
    report.stored = await page.evaluate(
      () => Object.keys({ ...localStorage, ...sessionStorage }));
    report.address = page.url();
    await album.signOut();
    report.left = await page.evaluate(() => document.body.innerText.includes("cat.png"));

    await album.signIn("bob");
    await album.find("#empty").waitFor();
    report.bobIs = await album.text("#identity .arn");
    await drop(page, await picture(page, "cat.png", "#55aa77"));
    await album.photo("cat.png").waitFor();
    await album.upload(await picture(page, "cat.png", "#aa77cc"));
    await album.photo("cat (2).png").waitFor();
    report.bob = await album.photos();
    await album.signOut();

    await album.signIn("alice");
    await album.photo("cat.png").waitFor();
    report.aliceAgain = await album.photos();
    step = "deleting a photo";
    await album.button("Delete dog.png").click();
    await album.button("Keep it").click();
    await album.button("Delete dog.png").click();
    await album.find("#confirm").getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("dog.png is deleted.").waitFor({ state: "attached" });
    report.afterDeletion = await album.photos();
    return report;
  },

  // What AWS says of the folder of somebody else.
  async refusal(album) {
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await album.button("Try Bob’s folder").click();
    await album.find("#peeked .quote").waitFor();
    const alice = await album.find("#peeked .quote p").allInnerTexts();
    await album.signOut();
    await album.signIn("bob");
    await album.find("#empty").waitFor();
    await album.button("Try Alice’s folder").click();
    await album.find("#peeked .quote").waitFor();
    return { alice, bob: await album.find("#peeked .quote p").allInnerTexts() };
  },

  // Credentials that end, are renewed, and are not renewed.
  async expiry(album) {
    const { page } = album;
    const report = { steps: [] };
    const note = async (name) => report.steps.push({
      name,
      left: await album.text("#left"),
      renewal: await album.text("#renewal"),
      key: await album.find(".stage .says").last().innerText(),
    });
    const nearTheEnd = 13 * 60 + 40; // seconds of the 15 minutes: the cache of the service waits
    let loads = 0;
    page.on("framenavigated", () => { loads++; });
    const renewed = async () => {
      await page.waitForFunction(() => document.querySelector("#left").innerText > "14:00");
      await page.waitForFunction(
        () => document.querySelector("#renewal").innerText.includes("Last renewed"));
    };

    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".stage.done").length === 5);
    await note("signed in");
    loads = 0;
    await album.button("Renew now").click();
    await page.getByText("it gave the same again").waitFor();
    step = "a silent renewal";
    await album.advance(nearTheEnd);
    await renewed();
    await album.upload(await picture(page, "cat.png", "#cc5533"));
    await note("renewed");
    report.loads = loads;

    step = "a renewal that fails";
    await album.cut("service");
    await album.button("Renew now").click();
    await page.getByText("These credentials work until they expire").waitFor();
    await note("renewal on demand failed");
    await album.advance(nearTheEnd);
    await page.getByText("every 10 seconds").waitFor();
    await note("late");
    await album.advance(2 * 60);
    await page.getByRole("heading", { name: "The service does not answer" }).waitFor();
    await album.cut("service", false);
    await album.button("Try again").click();
    await album.photo("cat.png").waitFor();

    step = "a sign-in that has ended";
    await album.advance(9 * 3600);
    await page.getByRole("heading", { name: "Your sign-in has ended" }).waitFor();
    report.ended = await album.text("#notice");
    await album.button("Sign in").click();
    await page.getByRole("button", { name: /as alice/i }).click();
    await album.photo("cat.png").waitFor();
    report.photos = await album.photos();
    return report;
  },

  // A sign-out while the ID token is being renewed.
  async signOut(album) {
    const { page, context } = album;
    const revoked = [];
    page.on("request", (request) => {
      if (isRevocation(request)) revoked.push(request.postData());
    });
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    const redeemed = signal();
    const released = signal();
    await context.route(/\/oauth\/token$/, async (route) => {
      const response = await route.fetch();
      redeemed.give();
      await released.given; // the provider has answered, and the page does not know
      await route.fulfill({ response });
    });
    step = "signing out during a renewal";
    await album.advance(9 * 60 + 30); // of the 10 minutes of the ID token
    await album.button("Renew now").click();
    await redeemed.given;
    const first = page.waitForRequest(isRevocation);
    await album.signOut();
    await first;
    const second = page.waitForRequest(isRevocation);
    released.give();
    await second;
    return {
      revoked: new Set(revoked).size,
      welcome: await album.find("#welcome").isVisible(),
    };
  },

  // Uploads of names that S3 has, and the page has not listed.
  async names(album) {
    const { page } = album;
    const report = { puts: [] };
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await album.upload(await picture(page, "cat.png", "#cc5533"));
    await album.signOut();

    step = "an upload before the list";
    const released = signal();
    await page.route(isList, (route) => released.given.then(() => route.continue()));
    const noteRequest = (request) => {
      if (isPut(request)) report.puts.push(request.url());
    };
    page.on("request", noteRequest);
    await album.signIn("alice");
    await page.setInputFiles("#files", [await picture(page, "cat.png", "#335577")]);
    report.waiting = await album.text(".upload .state");
    await page.setInputFiles("#files", [await picture(page, "dog.png", "#335577")]);
    await album.button("Cancel the upload of dog.png").click();
    report.putsBefore = report.puts.length;
    released.give();
    await album.photo("cat (2).png").waitFor();
    await page.unroute(isList);
    page.off("request", noteRequest);
    await album.signOut();

    step = "an upload with a list that is too old";
    await page.route(isList, async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(/<Contents>.*<\/Contents>/s, "");
      await route.fulfill({ response, body });
    });
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await page.setInputFiles("#files", [await picture(page, "cat.png", "#55aa77")]);
    await page.waitForFunction(() => document.querySelector(".photo.loaded"));
    report.renamed = await album.photos();
    await page.unroute(isList);
    await album.signOut();
    await album.signIn("alice");
    await page.waitForFunction(() => document.querySelector(".photo.loaded"));
    report.photos = await album.photos();
    return report;
  },

  // A list that is answered after uploads which ended in the meantime: it has one of them, and is
  // too old for the other. Two clicks of a hurried user ask for it while uploads wait for the first.
  async merged(album) {
    const { page } = album;
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await album.upload(await picture(page, "old.png", "#cc5533"));
    await album.signOut();

    step = "a list that fails";
    await page.route(isList, (route) => route.abort());
    await album.signIn("alice");
    const retry = album.find("#album-problem button");
    await retry.waitFor();
    await page.setInputFiles("#files", [
      await picture(page, "early.png", "#335577"), await picture(page, "late.png", "#55aa77"),
    ]);
    await page.unroute(isList);

    step = "two lists at a time";
    const listAgain = signal();
    const mergeNow = signal();
    const uploadLate = signal();
    let lists = 0;
    await page.route(isList, async (route) => {
      if (++lists === 1) {
        const response = await route.fetch();
        const body = (await response.text()).replace(/<Contents>.*<\/Contents>/s, "");
        await route.fulfill({ response, body });
        return;
      }
      await listAgain.given;
      const response = await route.fetch();
      uploadLate.give();
      await mergeNow.given;
      await route.fulfill({ response });
    });
    await page.route((url) => url.pathname.endsWith("/alice/late.png"), async (route) => {
      if (isPut(route.request())) await uploadLate.given;
      await route.continue();
    });
    await retry.evaluate((one) => {
      one.click();
      one.click();
    });
    await album.photo("early.png").waitFor();
    const before = await album.photos();
    listAgain.give();
    await album.photo("late.png").waitFor();
    mergeNow.give();
    await album.photo("old.png").waitFor();
    const after = await album.photos();
    await album.find('[data-name="late.png"] .thumb').click();
    const about = await album.text("#viewer-about");
    return { lists, before, after, about };
  },

  // Uploads that end before they begin, in their midst, and at the sign-out.
  async cancel(album) {
    const { page } = album;
    const report = {};
    const puts = [];
    page.on("request", (request) => {
      if (isPut(request)) puts.push(request.url());
    });
    await album.signIn("alice");
    await album.find("#empty").waitFor();

    step = "cancelling before the request";
    await page.evaluate(() => {
      const decode = window.createImageBitmap;
      const held = new Promise((resolve) => { window.release = resolve; });
      window.createImageBitmap = (file) => held.then(() => decode(file));
    });
    await page.setInputFiles("#files", [await picture(page, "early.png", "#cc5533")]);
    await page.getByText("0 %").waitFor();
    await album.button("Cancel the upload of early.png").click();
    await page.evaluate(() => window.release());
    await album.find(".upload").waitFor({ state: "detached" });
    report.puts = puts.length;
    report.said = await album.text("#said");

    step = "cancelling the thumbnail";
    await page.route((url) => url.pathname.includes("/.thumbnails/late.png"), () => {});
    let begun = page.waitForRequest((request) => isPut(request) && isSmall(request));
    let ended = page.waitForEvent("requestfailed", isSmall);
    await page.setInputFiles("#files", [await picture(page, "late.png", "#cc5533")]);
    await begun;
    await album.button("Cancel the upload of late.png").click();
    await ended;
    await album.photo("late.png").waitFor();

    step = "signing out during an upload";
    await page.route((url) => url.pathname.endsWith("/alice/left.png"), () => {});
    begun = page.waitForRequest(isPut);
    ended = page.waitForEvent("requestfailed", isPut);
    await page.setInputFiles("#files", [await picture(page, "left.png", "#cc5533")]);
    await begun;
    await album.signOut();
    await ended;
    await album.signIn("alice");
    await album.photo("late.png").waitFor();
    report.photos = await album.photos();
    return report;
  },

  // The object URLs of photos that are viewed: how many there are, and their types.
  async viewer(album) {
    const { page } = album;
    const report = {};
    await page.addInitScript(() => {
      window.types = new Map(); // by object URL
      const { createObjectURL, revokeObjectURL } = URL;
      URL.createObjectURL = (blob) => {
        const url = createObjectURL(blob);
        window.types.set(url, blob.type);
        return url;
      };
      URL.revokeObjectURL = (url) => {
        window.types.delete(url);
        revokeObjectURL(url);
      };
    });
    const types = () => page.evaluate(() => [...window.types.values()].sort());
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await album.upload(await picture(page, "cat.png", "#cc5533"));
    await album.upload(await picture(page, "dog.png", "#335577"));
    await page.route((url) => url.pathname.endsWith("/alice/dog.png"), async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers(), "content-type": "image/SVG+xml" };
      await route.fulfill({ response, headers });
    });
    const isCat = (url) => url.pathname.endsWith("/alice/cat.png");
    const released = signal();
    await page.route(isCat, (route) => released.given.then(() => route.continue()));
    report.before = await types();

    step = "a view that is overtaken";
    const late = page.waitForResponse((response) => isCat(new URL(response.url())));
    await album.find('[data-name="cat.png"] .thumb').click();
    await album.button("Previous photo").click();
    await page.waitForFunction(() => document.querySelector("#viewer-save").href);
    released.give();
    await (await late).finished();
    report.viewed = await types();

    step = "the viewer is closed";
    await album.button("Close").click();
    await page.waitForFunction(() => !document.querySelector("#viewer-save").href);
    report.closed = await types();

    step = "signing out with the viewer open";
    await album.find('[data-name="cat.png"] .thumb').click();
    await page.waitForFunction(() => document.querySelector("#viewer-save").href);
    await page.evaluate(() => document.querySelector("#sign-out").click());
    await album.find("#welcome").waitFor();
    report.signedOut = await types();
    return report;
  },

  // A rule that is switched, whose effect cannot be shown, and one that is not switched.
  async unexplained(album) {
    const { page } = album;
    const report = {};
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    const readOnly = album.rule("Read only");
    await readOnly.waitFor();
    await page.route("**/explain", (route) => route.abort());
    await readOnly.click();
    await album.find("#changes p").waitFor();
    report.explainFails = await album.text("#changes");
    report.on = await readOnly.getAttribute("aria-checked");
    await page.unroute("**/explain");
    await readOnly.click();
    await page.getByText("“Read only” is off.").waitFor();
    await page.route("**/rules", (route) => route.abort());
    await readOnly.click();
    await page.getByText("The album does not answer").waitFor();
    report.rulesFail = await album.text("#changes");
    report.off = await readOnly.getAttribute("aria-checked");
    return report;
  },

  // A rule that refuses Carol is switched off and on. Another one narrows the session.
  async rules(album) {
    const { page } = album;
    const report = {};
    await album.signIn("carol");
    await page.getByRole("heading", { name: "You get no AWS credentials" }).waitFor();
    report.denied = await album.find("#notice .quote p").allInnerTexts();
    await page.getByText("refuses this user").waitFor();
    await album.find(".stage.refused").waitFor();
    report.deniedStages = await stagesOf(page);
    await album.rule("Only photographers").click();
    await album.find("#empty").waitFor();
    report.changes = await album.text("#changes");
    report.focus = await page.evaluate(() => document.activeElement.getAttribute("role"));
    await page.waitForFunction(() => document.querySelectorAll(".stage.done").length === 5);
    report.allowedStages = await stagesOf(page);
    await album.upload(await picture(page, "cat.png", "#cc5533"));

    step = "read only";
    await album.rule("Read only").click();
    await page.getByText("“Read only” is on.").waitFor();
    report.readOnly = await album.text("#changes");
    await page.waitForFunction(() => !document.querySelector("#album").hidden);
    await page.setInputFiles("#files", [await picture(page, "dog.png", "#335577")]);
    await album.find(".upload.failed .why").waitFor();
    report.upload = await album.text(".upload.failed .why");
    await album.rule("Read only").click();
    await page.getByText("“Read only” is off.").waitFor();
    await album.button("Retry").click();
    await album.photo("dog.png").waitFor();

    step = "the rule again";
    await album.rule("Only photographers").click();
    await page.getByRole("heading", { name: "You get no AWS credentials" }).waitFor();
    report.deniedAgain = await album.text("#changes");
    report.hidden = await album.find("#photos").isHidden();
    return report;
  },

  // Everything without a mouse.
  async keyboard(album) {
    const { page } = album;
    const report = { stops: [] };
    const tabTo = async (name) => {
      step = `pressing Tab until ${name}`;
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press("Tab");
        const stop = await focused(page);
        report.stops.push(stop);
        if (stop.name === name) return;
      }
      throw new Error(`Tab does not reach ${name}: ${report.stops.map((s) => s.name).join(" | ")}`);
    };
    // From here on the browser reports a choice of files: it takes a moment to begin with that.
    page.on("filechooser", () => {});
    await tabTo("Sign in");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /as alice/i }).waitFor();
    await tabTo("Sign in as Alice Archer");
    await page.keyboard.press("Enter");
    await album.find("#empty").waitFor();
    await tabTo("Add photos");
    const [chooser] = await Promise.all(
      [page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
    await chooser.setFiles(
      [await picture(page, "cat.png", "#cc5533"), await picture(page, "dog.png", "#335577")]);
    await album.photo("cat.png").waitFor();
    await album.photo("dog.png").waitFor();
    const [first, second] = await page.evaluate(
      () => [...document.querySelectorAll(".photo")].map(({ dataset }) => dataset.name));
    await tabTo(first);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: first }).waitFor();
    report.inViewer = (await focused(page)).name;
    await page.keyboard.press("ArrowRight");
    await page.getByRole("dialog", { name: second }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    report.afterViewer = (await focused(page)).name;
    await tabTo(`Delete ${first}`);
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: `Delete ${first}?` }).waitFor();
    report.inConfirm = (await focused(page)).name;
    await tabTo("Delete");
    await page.keyboard.press("Enter");
    await page.getByText(`${first} is deleted.`).waitFor({ state: "attached" });
    report.afterDelete = (await focused(page)).name;
    Object.assign(report, { first, second });
    await tabTo("Try Bob’s folder");
    await page.keyboard.press("Enter");
    await album.find("#peeked .quote").waitFor();
    await tabTo("Sessions of 15 minutes");
    await page.keyboard.press("Space");
    await page.getByText("“Sessions of 15 minutes” is off.").waitFor();
    report.afterSwitch = (await focused(page)).name;
    return report;
  },

  // Each state of the page, checked with axe-core, and photographed if there is a folder.
  async states(album, input) {
    const { page } = album;
    const report = { states: [] };
    const check = checker(album, input, report);
    await album.find("#welcome").waitFor();
    await check("welcome");
    await album.find("#sign-in").click();
    await page.getByRole("button", { name: /as alice/i }).waitFor();
    await check("login");

    step = "loading";
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    const atService = (url) => url.href.startsWith(album.settings.service);
    await page.route(atService, (route) => held.then(() => route.continue()));
    await page.getByRole("button", { name: /as alice/i }).click();
    await page.getByText("Asking for AWS credentials").waitFor();
    await check("loading");
    release();
    await album.find("#empty").waitFor();
    await page.unroute(atService);
    await page.waitForFunction(() => document.querySelectorAll(".stage.done").length === 5);
    await page.waitForFunction(() => document.querySelector("#identity .arn"));
    await check("empty");

    await album.find("#samples").click();
    await page.waitForFunction(() => document.querySelectorAll(".photo.loaded").length === 6);
    await check("album");
    await page.locator(".thumb").nth(1).click();
    await page.getByRole("dialog").waitFor();
    await check("viewer");
    await album.find("#viewer-delete").click();
    await check("confirm");
    await album.button("Keep it").click();
    await album.button("Close").click();

    await album.find("#peek").click();
    await album.find("#peeked .quote").waitFor();
    await check("folder of bob");
    await album.rule("Read only").click();
    await page.getByText("“Read only” is on.").waitFor();
    await album.find("summary").click();
    await page.setInputFiles("#files", [
      { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture") },
      await picture(page, "a-photo-with-a-rather-long-name-from-a-camera-20261130.png", "#888"),
    ]);
    await page.waitForFunction(() => document.querySelectorAll(".upload.failed").length === 2);
    await check("uploads refused");
    await album.rule("Read only").click();
    await page.getByText("“Read only” is off.").waitFor();

    await album.cut("s3");
    await page.setInputFiles("#files", [await picture(page, "dog.png", "#335577")]);
    await page.getByText("Amazon S3 does not answer. Try it again").waitFor();
    await check("s3 down upload");
    await album.cut("s3", false);
    await album.signOut();
    await album.signIn("alice");
    await page.waitForFunction(() => document.querySelectorAll(".photo.loaded").length === 6);
    await album.signOut();
    await album.cut("s3");
    await album.signIn("alice");
    await page.getByText("Your photos cannot be listed.").waitFor();
    await check("s3 down");
    await album.cut("s3", false);
    await album.button("Try again").click();
    await page.waitForFunction(() => document.querySelectorAll(".photo.loaded").length === 6);
    return report;
  },

  // The states in which there is no album.
  async troubles(album, input) {
    const { page } = album;
    const report = { states: [] };
    const check = checker(album, input, report);
    await album.cut("service");
    await album.signIn("bob");
    await page.getByRole("heading", { name: "The service does not answer" }).waitFor();
    await check("service down");
    await album.cut("service", false);
    await album.button("Try again").click();
    await album.find("#empty").waitFor();
    await album.signOut();

    await album.signIn("carol");
    await page.getByText("refuses this user").waitFor();
    await album.find(".stage.refused").waitFor();
    await check("denied");
    await album.rule("Only photographers").click();
    await page.getByText("“Only photographers” is off.").waitFor();
    await album.find("#empty").waitFor();
    await check("rule off");
    await album.rule("Only photographers").click();
    await page.getByRole("heading", { name: "You get no AWS credentials" }).waitFor();
    await album.signOut();

    await album.signIn("bob");
    await album.find("#empty").waitFor();
    await album.advance(9 * 3600);
    await page.getByRole("heading", { name: "Your sign-in has ended" }).waitFor();
    await check("sign-in ended");
    await page.goto(album.url);
    await album.find("#welcome").waitFor();
    await album.cut("issuer");
    await album.find("#sign-in").click();
    await page.getByRole("heading", { name: "The OpenID provider does not answer" }).waitFor();
    await check("provider down");
    await album.cut("issuer", false);
    await page.route("**/settings.json", (route) => route.abort());
    await page.reload();
    await page.getByRole("heading", { name: "The album does not answer" }).waitFor();
    await check("album down");
    return report;
  },

  // The picture of the documentation.
  async picture(album, { shots, width, scheme }) {
    const { page } = album;
    await album.signIn("bob"); // so that Alice does nothing for the first time
    await album.find("#empty").waitFor();
    await album.signOut();
    await album.signIn("alice");
    await album.find("#empty").waitFor();
    await album.find("#samples").click();
    await page.waitForFunction(() => document.querySelectorAll(".photo.loaded").length === 6);
    if (width > 600) {
      await album.find("#peek").click();
      await album.find("#peeked .quote").waitFor();
    }
    await page.evaluate(() => document.activeElement.blur());
    await page.mouse.move(0, 0);
    await page.screenshot({ path: join(shots, `album-${width}-${scheme}.png`) });
    return {};
  },
};

// checker returns a function that checks a state of the page, and photographs it if there is a
// folder for that.
const checker = ({ page }, { shots, width, scheme }, report) => async (state) => {
  step = `${width} ${scheme}: ${state}`;
  const { findings, unsure } = await audit(page);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  report.states.push({ state, findings, unsure, over: Math.max(0, over) });
  if (!shots) return;
  const name = `${state.replaceAll(" ", "-")}-${width}-${scheme}.png`;
  const dialog = await page.evaluate(() => Boolean(document.querySelector("dialog[open]")));
  await page.screenshot({ path: join(shots, name), fullPage: !dialog });
};

// slowUpload uploads a file at a speed at which one sees the progress, and returns what was seen.
async function slowUpload(album, file) {
  const { page, context } = album;
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", {
    offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 150_000,
  });
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => {
      for (const state of document.querySelectorAll(".upload .state")) {
        if (window.seen.at(-1) !== state.textContent) window.seen.push(state.textContent);
      }
    }).observe(document.querySelector("#uploads"),
      { subtree: true, childList: true, characterData: true });
  });
  await album.upload(file);
  await network.detach();
  return page.evaluate(() => window.seen);
}

// drop drops a file on the album.
async function drop(page, { name, mimeType, buffer }) {
  const transfer = await page.evaluateHandle(({ name, mimeType, base64 }) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: mimeType }));
    return data;
  }, { name, mimeType, base64: buffer.toString("base64") });
  for (const type of ["dragenter", "dragover", "drop"]) {
    await page.dispatchEvent("#album", type, { dataTransfer: transfer });
  }
}

const stagesOf = (page) => page.evaluate(
  () => [...document.querySelectorAll(".stage")].map(({ classList }) => classList[1]));

// focused says what has the focus, and whether one sees it.
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const labels = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
  const name = element.getAttribute("aria-label") ||
    labels.map((id) => document.getElementById(id).textContent).join(" ") ||
    element.querySelector("img")?.alt || element.textContent.trim() || element.id;
  return { name, visible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
});

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

// open opens the album, and notes what the browser complains about.
async function open(browser, { url, width, scheme }) {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 812 : 960 },
    colorScheme: scheme,
    reducedMotion: "reduce", // so that no color is measured half-way
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const messages = [];
  const violations = [];
  const hosts = new Set();
  context.on("console", (message) => {
    messages.push({ text: message.text(), url: message.location().url, step });
  });
  context.on("weberror", (error) => {
    messages.push({ text: `exception: ${error.error().stack}`, url: "", step });
  });
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith("http")) hosts.add(hostname);
  });
  await context.exposeFunction("noteViolation", (text) => violations.push(`${step}: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      window.noteViolation(`${violatedDirective} ${blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(stepLimit);
  await page.clock.install();
  await page.goto(url);
  await page.locator("#welcome").waitFor();
  const settings = await (await fetch(`${url}/settings.json`)).json();
  return { album: new Album({ context, page, settings, url }), messages, violations, hosts };
}

async function drive() {
  const input = JSON.parse(await text(process.stdin));
  step = "starting the browser";
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  step = "opening the album";
  const { album, messages, violations, hosts } = await open(browser, input);
  const report = await scenarios[input.scenario](album, input);
  step = "closing the browser";
  await browser.close();
  const all = { ...report, messages, violations, hosts: [...hosts] };
  process.stdout.write(`${JSON.stringify(all, null, 2)}\n`, () => process.exit(0));
}

drive().catch((error) => fail(`${step}: ${error.message}`));
