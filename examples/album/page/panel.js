// What happens behind the page: each exchange as it runs, what was decided, and the rules.

import { button, element, facts, find, icon, show } from "./dom.js";
import { afterSlash, capital, clock, lasting, took } from "./words.js";

const kept = 6; // earlier exchanges

const stages = [
  ["token", "ID token"],
  ["rules", "Rules"],
  ["saml", "SAML assertion"],
  ["sts", "AWS STS"],
  ["credentials", "Credentials"],
];

// createPanel prepares the panel. idToken returns the user's ID token, and switched is called after
// a rule was switched.
export function createPanel({ idToken, switched }) {
  const exchanges = []; // the newest first
  let shown; // ID of the exchange that is drawn
  let events;
  let decision; // the last explanation
  let rules = [];

  // ---- The exchange

  function listen() {
    events ??= new EventSource("/exchanges");
    events.onmessage = ({ data }) => arrived(JSON.parse(data));
  }

  function arrived(exchange) {
    if (exchanges.some(({ id }) => id === exchange.id)) return;
    exchanges.unshift(exchange);
    exchanges.length = Math.min(exchanges.length, kept + 1);
    drawExchange(exchange, true);
    drawHistory();
  }

  function drawExchange(exchange, live) {
    shown = exchange.id;
    const allowed = !exchange.code;
    const total = exchange.stages.reduce((sum, { ms }) => sum + ms, 0);
    find("exchange-outcome").replaceChildren(
      icon(allowed ? "check" : "cross"), allowed ? "allowed" : "refused");
    find("exchange-outcome").className = `outcome ${allowed ? "good" : "bad"}`;
    find("exchange-about").textContent = aboutExchange(exchange, total);
    find("stages").replaceChildren(...stages.map(
      ([name, title]) => row(title, exchange.stages.find((one) => one.name === name), {
        total, exchange,
      })));
    find("stages").classList.remove("live");
    if (live) {
      void find("stages").offsetWidth; // so that the animation begins anew
      find("stages").classList.add("live");
    }
  }

  function aboutExchange({ user, at, cache, message, rule, code }, total) {
    const who = user ? capital(user) : "A token that was not accepted";
    const cached = cache === "hit" ? ", with credentials from the cache" : "";
    const began = `${who}, ${clock(at)}, ${took(total)} in total${cached}.`;
    if (!code) return began;
    return `${began} ${rule ? `The rule ${rule} refused: ` : ""}${message} (${code}).`;
  }

  // row draws a stage. Its bar is where the stage was in the time of the whole exchange.
  function row(title, stage, { total, exchange }) {
    const bar = element("span", {});
    const state = stageState(stage, exchange);
    if (stage && total > 0) {
      bar.style.marginInlineStart = `${(100 * stage.start_ms) / total}%`;
      bar.style.width = `${Math.max(0.8, (100 * stage.ms) / total)}%`;
    }
    const words = { skipped: "not needed: the cache has credentials", waiting: "not reached" };
    return element("li", { class: `stage ${state}` },
      element("span", { class: "rail", "aria-hidden": "true" }),
      element("span", { class: "mark" }, marks[state] ? icon(marks[state]) : ""),
      element("span", { class: "title" }, title),
      element("span", { class: "time" }, stage ? took(stage.ms) : ""),
      element("span", { class: "says" }, words[state] ?? stage?.text ?? ""),
      element("span", { class: "track", "aria-hidden": "true" }, bar));
  }

  function drawHistory() {
    const earlier = exchanges.slice(1);
    show("earlier", earlier.length > 0);
    find("history").replaceChildren(...exchanges.map((exchange) => {
      const total = exchange.stages.reduce((sum, { ms }) => sum + ms, 0);
      const outcome = exchange.code ? "refused" : "allowed";
      const cached = exchange.cache === "hit" ? ", from the cache" : "";
      const choice = button(
        `${clock(exchange.at)} ${capital(exchange.user || "unknown")}: ${outcome}${cached}, ${
          took(total)}`,
        () => {
          drawExchange(exchange, false);
          markShown();
        }, "row");
      choice.dataset.id = exchange.id;
      return element("li", {}, choice);
    }));
    markShown();
  }

  function markShown() {
    for (const choice of find("history").querySelectorAll("button")) {
      choice.setAttribute("aria-pressed", String(Number(choice.dataset.id) === shown));
    }
  }

  // ---- The decision

  // explain asks what an exchange of the user's token would decide now, and returns it.
  async function explain() {
    const answer = await fetch("/explain", {
      method: "POST",
      headers: { Authorization: `Bearer ${await idToken()}` },
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    decision = await answer.json();
    drawDecision();
    drawRules();
    return decision;
  }

  function drawDecision() {
    const { token, refusal } = decision;
    find("decision-about").textContent = refusal
      ? `Refused at the step ${refusal.stage}: ${refusal.message}.`
      : "What the service decides for this token now. AWS sees nothing else of the user.";
    facts(find("decision"), [
      ["User", token?.subject],
      ...Object.entries(summaryOf(decision)).filter(([name]) => name !== "Outcome"),
    ]);
  }

  // ---- The rules

  async function readRules() {
    rules = await (await fetch("/rules")).json();
    drawRules();
  }

  // drawRules changes rows in place, so that the focus stays where it is.
  function drawRules() {
    const list = find("rules");
    for (const rule of rules) {
      const item = [...list.children].find((one) => one.dataset.name === rule.name) ??
        list.appendChild(ruleRow(rule));
      item.querySelector("[role=switch]").setAttribute("aria-checked", String(rule.on));
      const { shape, text, style } = outcomeOf(rule, decision);
      item.querySelector(".result").className = `result ${style}`;
      item.querySelector(".result").replaceChildren(icon(shape), element("span", {}, text));
    }
  }

  function ruleRow({ name, title, about }) {
    const item = element("li", { class: "rule" },
      element("div", { class: "rule-head" },
        element("span", { class: "title", id: `rule-${name}` }, title),
        element("button", {
          type: "button",
          role: "switch",
          class: "switch",
          "aria-checked": "false",
          "aria-labelledby": `rule-${name}`,
          click: () => turn(name),
        }, element("span", { class: "thumb-of-switch" }))),
      element("p", { class: "soft" }, about),
      element("p", { class: "result" }));
    item.dataset.name = name;
    return item;
  }

  let turning = false;

  async function turn(name) {
    if (turning) return;
    turning = true;
    try {
      const { title, on } = rules.find((one) => one.name === name);
      if (!await store(name, !on)) return;
      await explainChange({ title, on: !on });
      await switched();
    } finally {
      turning = false;
    }
  }

  // store switches a rule at the service, and returns whether that worked.
  async function store(name, on) {
    try {
      const answer = await fetch("/rules", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name, on }),
      });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      rules = await answer.json();
    } catch {
      sayChange("The album does not answer, so the rule stays as it is. Check that it still runs.");
      return false;
    }
    drawRules();
    return true;
  }

  async function explainChange(rule) {
    const before = decision;
    try {
      drawChanges(rule, before, await explain());
    } catch {
      sayChange("The rule is switched, but the decision cannot be shown.");
    }
  }

  const sayChange = (text) => find("changes").replaceChildren(element("p", {}, text));

  function drawChanges({ title, on }, before, after) {
    const old = before ? summaryOf(before) : {};
    const now = summaryOf(after);
    const names = Object.keys({ ...old, ...now }).filter((name) => old[name] !== now[name]);
    const rows = names.map((name) => element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", {}, old[name] ?? "none"),
      element("td", {}, now[name] ?? "none")));
    const user = capital(after.token?.subject ?? "this user");
    find("changes").replaceChildren(
      element("p", {}, element("strong", {}, `“${title}” is ${on ? "on" : "off"}.`),
        rows.length === 0 ? ` For ${user}, nothing changes.` : ` For ${user}, this changes:`));
    if (rows.length === 0) return;
    find("changes").append(element("table", {},
      element("thead", {}, element("tr", {},
        element("td", {}), element("th", { scope: "col" }, "Before"),
        element("th", { scope: "col" }, "Now"))),
      element("tbody", {}, rows)));
  }

  // ---- All of it

  // open shows the panel to a user who has signed in.
  async function open() {
    show("behind");
    listen();
    try {
      await Promise.all([readRules(), explain()]);
    } catch {
      find("decision-about").textContent = "The album does not answer. Check that it still runs.";
    }
  }

  function close() {
    show("behind", false);
    decision = undefined;
    find("changes").replaceChildren();
  }

  return { open, close };
}

const marks = { done: "check", refused: "cross", skipped: "dash" };

function stageState(stage, exchange) {
  const fromCache = exchange.cache === "hit" || exchange.cache === "denied";
  if (stage?.failed) return "refused";
  if (stage) return "done";
  return fromCache && !exchange.code ? "skipped" : "waiting";
}

// summaryOf returns what of a decision a person would compare.
function summaryOf({ allowed, decision, refusal }) {
  const summary = { Outcome: allowed ? "allowed" : `refused: ${refusal?.message}` };
  if (!allowed || !decision) return summary;
  const tags = Object.entries(decision.saml_attributes ?? {})
    .filter(([name]) => name.includes("/PrincipalTag:"))
    .map(([name, values]) => `${name.slice(name.indexOf("Tag:") + 4)} = ${values.join(", ")}`);
  return {
    ...summary,
    Role: afterSlash(decision.role),
    "Session name": decision.session_name,
    "Source identity": decision.source_identity || undefined,
    "Session tags": tags.join("; ") || undefined,
    "Folder, ${saml:sub}": decision.name_id,
    "Session lasts": lasting(decision.session_duration),
    "Session policy": decision.policy ? actionsOf(decision.policy) : undefined,
  };
}

// actionsOf names the actions that a session policy leaves.
function actionsOf(policy) {
  const statements = [JSON.parse(policy).Statement].flat();
  return `only ${statements.flatMap(({ Action }) => Action ?? []).join(", ")}`;
}

// outcomeOf says what a rule did with the user's token.
function outcomeOf(rule, decision) {
  if (!rule.on) return { shape: "dash", text: "off", style: "soft" };
  const step = decision?.rules.find((one) => one.name === rule.name);
  if (!step) return { shape: "wait", text: "not reached", style: "soft" };
  if (step.refused) return { shape: "cross", text: "refuses this user", style: "bad" };
  const set = Object.entries(step.set).map(settingText);
  return { shape: "check", text: set.length > 0 ? set.join("; ") : "passed", style: "good" };
}

function settingText([name, value]) {
  switch (name) {
    case "session_duration": return `the session lasts ${lasting(value)}`;
    case "source_identity": return `source identity ${value}`;
    case "tags": return Object.entries(value).map(([key, tag]) => `tag ${key} = ${tag}`).join(", ");
    case "policy": return `session policy: ${actionsOf(value)}`;
    default: return name;
  }
}
