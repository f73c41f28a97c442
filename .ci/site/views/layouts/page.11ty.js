// The frame around a page: header with search, the article, what is on the page, and all pages.
import { navigation, pages, plain, relative, repository } from "../../pages.js";

const escape = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

// unsearched are pages that name everything, and would be found for every question.
const unsearched = new Set(["docs/README.md", "CHANGELOG.md", "bench/RESULTS.md"]);

export function render({ content, source }) {
  const page = pages.get(source);
  const to = (url) => relative(page.url, url);
  const home = source === "docs/README.md";
  const title = home ? "delegation: documentation" : `${page.title} · delegation`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escape(descriptionOf(page))}">
<title>${escape(title)}</title>
<link rel="icon" href="${to("site/icon.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${to("site/style.css")}">
<script type="module" src="${to("site/site.js")}"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
<header>
<a class="name" href="${to("index.html")}">delegation</a>
<search>
<form id="search" hidden>
<input type="search" id="query" placeholder="Search" aria-label="Search the documentation"
 aria-describedby="found" autocomplete="off" spellcheck="false">
</form>
</search>
<a class="to-pages" href="#pages">All pages</a>
<a class="code" href="${repository}">GitHub</a>
</header>
<section id="results" aria-label="Search results" hidden>
<p id="found" role="status"></p>
<ol></ol>
</section>
<div class="columns">
<main id="content" tabindex="-1">
<article${unsearched.has(source) ? "" : " data-pagefind-body"}>
${content.replace("</h1>", `</h1>\n${searchable(page)}`)}
</article>
<footer>
${neighbours(source, to)}
<p><a href="${repository}/blob/main/${source}">This page on GitHub</a></p>
</footer>
</main>
${outline(content)}
<nav id="pages" aria-label="All pages">
${navigation.map((section) => menu(section, source, to)).join("\n")}
</nav>
</div>
</body>
</html>
`;
}

// searchable has the search find a page by the words of its rows in docs/README.md, too.
const searchable = ({ tasks }) => tasks.length === 0 ? ""
  : `<p hidden data-pagefind-weight="4">${escape(tasks.join("; "))}.</p>\n`;

// descriptionOf is the first paragraph of a page, at most 160 characters.
function descriptionOf({ text }) {
  const paragraphs = text.split(/\n{2,}/).filter((part) => /^[A-Z`[]/.test(part));
  const first = plain(paragraphs[0] ?? "").replace(/\s+/g, " ");
  return first.length <= 160 ? first : `${first.slice(0, first.lastIndexOf(" ", 159))}…`;
}

function menu({ title, pages }, source, to) {
  const items = pages.map((page) => {
    const current = page.source === source ? ' aria-current="page"' : "";
    return `<li><a href="${to(page.url)}"${current}>${escape(page.title)}</a></li>`;
  });
  return `<h2>${escape(title)}</h2>\n<ul>\n${items.join("\n")}\n</ul>`;
}

// outline lists the sections of a page that has some.
function outline(content) {
  const headings = [...content.matchAll(/<h2 id="([^"]+)"[^>]*>(.*?)<\/h2>/gs)];
  if (headings.length < 2) return "";
  const items = headings.map(([, id, html]) =>
    `<li><a href="#${id}">${html.replace(/<\/?a\b[^>]*>/g, "")}</a></li>`);
  return `<nav class="outline" aria-label="On this page">
<h2>On this page</h2>
<ul>
${items.join("\n")}
</ul>
</nav>`;
}

// neighbours leads to the pages before and after this one in the navigation.
function neighbours(source, to) {
  const all = navigation.flatMap(({ pages }) => pages);
  const at = all.findIndex((page) => page.source === source);
  const link = (page, rel, word) => page
    ? `<a rel="${rel}" href="${to(page.url)}"><small>${word}</small> ${escape(page.title)}</a>`
    : "<span></span>";
  if (at < 0) return "";
  return `<div class="neighbours">${link(all[at - 1], "prev", "Previous")}
${link(all[at + 1], "next", "Next")}</div>`;
}
