// The search, and what makes reading easier: links to sections, buttons that copy code, and boxes
// that the keyboard can scroll. Pages can be read without it.
const top = new URL("../", import.meta.url);

const form = document.querySelector("#search");
const query = document.querySelector("#query");
const results = document.querySelector("#results");
const found = document.querySelector("#found");
const list = results.querySelector("ol");
const mostPages = 8;

// The index is loaded when the search is first used.
let index;
function load() {
  index ??= import(new URL("pagefind/pagefind.js", top)).then(async (pagefind) => {
    await pagefind.options({ baseUrl: top.pathname });
    await pagefind.init();
    return pagefind;
  });
  return index;
}

async function search() {
  const words = query.value.trim();
  if (words === "") {
    close();
    return;
  }
  const pagefind = await load();
  const answer = await pagefind.debouncedSearch(words, {}, 150);
  if (answer === null) return; // more has been typed
  const pages = await Promise.all(answer.results.slice(0, mostPages).map((page) => page.data()));
  if (query.value.trim() !== words) return;
  list.replaceChildren(...pages.map(item));
  const number = answer.results.length;
  found.textContent = number === 0 ? `No page has “${words}”.`
    : number === 1 ? "1 page" : `${number} pages, the best first`;
  results.hidden = false;
}

// item is a page that was found, and leads to the section that fits best.
function item({ url, meta, sub_results: sections, excerpt }) {
  const best = sections.toSorted((a, b) => weight(b) - weight(a))[0];
  const link = document.createElement("a");
  link.href = best?.url ?? url;
  const title = document.createElement("strong");
  title.textContent = meta.title;
  link.append(title);
  if (best && best.title !== meta.title) {
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = ` › ${best.title}`;
    link.append(where);
  }
  const text = document.createElement("span");
  text.className = "excerpt";
  text.innerHTML = best?.excerpt ?? excerpt; // Pagefind escapes it, and adds marks
  link.append(text);
  const entry = document.createElement("li");
  entry.append(link);
  return entry;
}

const weight = ({ weighted_locations: places = [] }) =>
  places.reduce((sum, { balanced_score: score }) => sum + score, 0);

function close() {
  results.hidden = true;
  list.replaceChildren();
  found.textContent = "";
}

form.hidden = false;
query.addEventListener("focus", load);
query.addEventListener("input", search);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});
list.addEventListener("click", (event) => {
  if (event.target.closest("a")) close(); // the section may be on this page
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    query.focus();
  }
  if (results.hidden) return;
  if (event.key === "Escape") {
    close();
    query.focus();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const stops = [query, ...list.querySelectorAll("a")];
  stops[stops.indexOf(document.activeElement) + step]?.focus();
});
document.addEventListener("click", (event) => {
  if (!results.contains(event.target) && !form.contains(event.target)) close();
});

for (const heading of document.querySelectorAll("article :is(h2, h3, h4)[id]")) {
  const link = document.createElement("a");
  link.className = "anchor";
  link.href = `#${heading.id}`;
  link.textContent = "#";
  link.setAttribute("aria-label", `Link to ${heading.textContent}`);
  heading.append(link);
}

for (const block of document.querySelectorAll("article pre")) {
  const box = document.createElement("div");
  box.className = "code-box";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.replaceWith(box);
  box.append(block, button);
}

// A box that scrolls can be reached with Tab, and is announced with the heading above it.
function markScrolling() {
  for (const box of document.querySelectorAll("article .scroll, article pre")) {
    if (box.scrollWidth <= box.clientWidth) {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      continue;
    }
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.tagName === "PRE" ? "Code" : "Table");
  }
}
markScrolling();
addEventListener("resize", markScrolling);
