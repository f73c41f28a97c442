// The page: who is signed in, and which of its views is shown.

import { createAlbum } from "./album.js";
import { button, find, icon, say, show } from "./dom.js";
import { createPanel } from "./panel.js";
import { paintFan } from "./samples.js";
import { createSession } from "./session.js";
import { createSignIn } from "./sign-in.js";
import { createStorage } from "./storage.js";
import {
  broken, capital, clock, denied, digits, ended, providerDown, refusedByAWS, serviceDown,
  storageDown, troubleOf,
} from "./words.js";

const views = ["loading", "welcome", "notice", "album"];

let settings;
let signIn;
let session;
let album;
let panel; // undefined: real AWS, which has none

function showView(view) {
  for (const one of views) show(one, one === view);
  show("side", view === "album");
  find("main").classList.toggle("beside", view === "album");
}

// ---- Start

async function start() {
  try {
    const answer = await fetch("/settings.json");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    settings = await answer.json();
  } catch {
    notice({
      sign: "cloud",
      title: "The album does not answer",
      text: "The program that serves this page has ended, or cannot be reached.",
      advice: "Start it again with: go run . in examples/album. Then reload the page.",
      actions: [["Reload", () => location.reload()]],
    });
    return;
  }
  signIn = createSignIn(settings);
  const { idToken } = signIn;
  session = createSession({ settings, idToken, changed: countDown });
  album = createAlbum({ settings, ended: leaveAlbum });
  if (settings.live) panel = createPanel({ idToken, switched: renew });
  show("footer-live", settings.live);
  await enter();
}

// enter continues a sign-in if the provider has sent the user here.
async function enter() {
  try {
    if (!await signIn.finish()) {
      welcome();
      return;
    }
  } catch (error) {
    explain(troubleOf(error));
    return;
  }
  const { name, sub } = signIn.user();
  find("face").textContent = capital(name ?? sub).charAt(0);
  find("full-name").textContent = name ?? sub;
  show("person");
  void panel?.open();
  await open();
}

function welcome() {
  document.title = "Album: photos in your own folder of Amazon S3";
  show("person", false);
  const [carol, ...others] = [...(settings.users ?? [])].reverse().map(capital);
  show("welcome-users", Boolean(settings.live && carol));
  find("welcome-users").textContent =
    `The login page shows the passwords of all users. ${others.reverse().join(" and ")} have an ` +
    `album. A rule refuses ${carol}, until you switch it off.`;
  showView("welcome");
  if (find("fan").childElementCount === 0) find("fan").append(...paintFan());
}

async function leave() {
  await signIn.begin().catch((error) => explain(troubleOf(error)));
}

async function signOut() {
  session.close();
  album.close();
  panel?.close();
  welcome();
  find("sign-in").focus();
  say("You are signed out. AWS accepts the old credentials until they expire.");
  await signIn.end().catch(() => {}); // the provider cannot be reached: the page has forgotten
}

// ---- The session

let opened = false; // the album is shown

// open gets credentials and shows the album.
async function open() {
  find("loading-text").textContent = "Asking for AWS credentials…";
  showView("loading");
  try {
    await session.open();
  } catch (error) {
    leaveAlbum(troubleOf(error));
    return;
  }
  opened = true;
  const { name, preferred_username: nick, sub } = signIn.user();
  const user = { name: (name ?? nick ?? sub).split(" ")[0], folder: sub };
  document.title = `${capital(user.name)}’s album`;
  const storage = createStorage({ settings, credentials: session.credentials, folder: sub });
  showView("album");
  focusUnlessInPanel("album-title");
  await album.open(storage, user);
}

// renew asks for other credentials, and keeps the album.
async function renew() {
  if (!opened) {
    await open();
    return;
  }
  try {
    await session.renew();
  } catch (error) {
    leaveAlbum(troubleOf(error));
    return;
  }
  await album.identify();
}

// leaveAlbum shows what ends the use of the credentials, and returns whether there is such a thing.
function leaveAlbum(trouble) {
  if (!signIn.user()) return true; // what was under way at the sign-out has failed
  const stays = [broken, refusedByAWS, storageDown];
  if (opened && stays.includes(trouble.kind)) return false;
  opened = false;
  session.close();
  album.close();
  explain(trouble);
  return true;
}

// countDown shows the life of the credentials, each second.
function countDown({ error, ...state }) {
  if (error) {
    leaveAlbum(troubleOf(error));
    return;
  }
  const { left, expiration, since, outcome } = state;
  find("left").textContent = digits(left);
  find("until").textContent = `until ${clock(expiration)}`;
  find("life").style.width = `${Math.max(0, (100 * left) / (expiration - since))}%`;
  find("life").classList.toggle("late", outcome === "failed");
  find("renewal").textContent = renewalText(state);
}

function renewalText({ renewalIn, since, sets, outcome }) {
  if (outcome === "failed") {
    return "The service does not answer. These credentials work until they expire, and the page " +
      `asks for new ones${renewalIn > 0 ? ` in ${digits(renewalIn)}` : " every 10 seconds"}.`;
  }
  if (renewalIn <= 0) return "The page renews them now.";
  const renewal = `The page renews them by itself in ${digits(renewalIn)}.`;
  if (outcome === "same") {
    return `The service has these in its cache, so it gave the same again. ${renewal}`;
  }
  return sets > 1 ? `${renewal} Last renewed at ${clock(since)}.` : renewal;
}

const renewalWords = {
  new: "The credentials are renewed.",
  same: "The service gave the same credentials again, from its cache.",
  failed: "The service does not answer. The old credentials stay.",
};

async function renewOnDemand() {
  find("renew").disabled = true;
  await renew();
  find("renew").disabled = false;
  if (!opened) return;
  find("renew").focus();
  say(renewalWords[session.outcome()]);
}

// ---- What went wrong

// explain shows a trouble in place of the album, with what to do.
function explain({ kind, said, by }) {
  const again = ["Try again", () => open()];
  const anew = ["Sign in", leave];
  const [rule] = settings.live ? [" You can also switch off the rule below that refused."] : [""];
  const texts = {
    [denied]: {
      sign: "lock",
      title: "You get no AWS credentials",
      text: "You are signed in, but a rule of the service refused you:",
      advice: `Ask the operator for access, or sign in as somebody else.${rule}`,
      actions: [again],
    },
    [ended]: {
      sign: "wait",
      title: "Your sign-in has ended",
      text: "The page can no longer renew your credentials by itself. Your photos are safe in S3.",
      advice: "Sign in again to go on.",
      actions: [anew],
    },
    [providerDown]: {
      sign: "cloud",
      title: "The OpenID provider does not answer",
      text: "The page cannot sign you in, or renew your sign-in, without it.",
      advice: "Check your connection, and that the provider runs. Then try again.",
      actions: [signIn.user() ? again : anew],
    },
    [serviceDown]: {
      sign: "cloud",
      title: "The service does not answer",
      text: "Without it, the page gets no AWS credentials. Your photos are safe in S3.",
      advice: "Check your connection, and that the service runs and allows this page’s origin. " +
        "Then try again.",
      actions: [again],
    },
    [refusedByAWS]: {
      sign: "lock",
      title: "AWS refused",
      text: "AWS did not accept the credentials of this page:",
      advice: "Try again. If it stays, tell the operator what AWS said.",
      actions: [again],
    },
    [broken]: {
      sign: "cross",
      title: "Something failed in this page",
      text: "The browser said:",
      advice: "Reload the page and sign in again.",
      actions: [["Reload", () => location.reload()]],
    },
  };
  notice({ ...(texts[kind] ?? texts[serviceDown]), said, by });
}

function notice({ sign, title, text, said, by, advice, actions }) {
  document.title = `${title} – Album`;
  find("notice-sign").replaceChildren(icon(sign));
  find("notice-title").textContent = title;
  find("notice-text").textContent = text;
  show("notice-quote", Boolean(said));
  find("notice-said").textContent = said ?? "";
  find("notice-by").textContent = by ?? "";
  find("notice-advice").textContent = advice;
  find("notice-actions").replaceChildren(
    ...actions.map(([label, act], i) => button(label, act, i === 0 ? "primary" : "")));
  showView("notice");
  focusUnlessInPanel("notice-title");
}

// focusUnlessInPanel moves the focus to a new view, unless the user works in the panel below.
function focusUnlessInPanel(id) {
  if (find("behind").contains(document.activeElement)) return;
  find(id).focus();
}

find("sign-in").addEventListener("click", leave);
find("sign-out").addEventListener("click", signOut);
find("renew").addEventListener("click", renewOnDemand);
await start();
