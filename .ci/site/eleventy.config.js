// Makes the site from the Markdown of docs/: npm run build, in this folder. It writes to dist.
import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import highlight from "highlight.js";
import { addressOf, pages, plain, resolve } from "./pages.js";

export default function (eleventy) {
  const assets = new Map(); // pictures that pages show, by their place in dist

  for (const page of pages.values()) {
    eleventy.addTemplate(`pages/${page.url}.md`, page.text, {
      layout: "page.11ty.js",
      permalink: page.url,
      templateEngineOverride: "md", // braces in a page are text
      source: page.source,
    });
  }

  eleventy.amendLibrary("md", (markdown) => {
    markdown.set({ html: true, highlight: coloured });
    markdown.core.ruler.push("anchors", anchors);
    markdown.core.ruler.push("tables", tables);
  });

  eleventy.addTransform("links", function (html) {
    const source = this.page.inputPath && sourceOf(this.page.inputPath);
    if (!source) return html;
    const [before, article, after] = html.split(/(?=<article)|(?<=<\/article>)/);
    const titled = article.replace(
      /<a href="([^"]+)">[\w-]+\.md<\/a>/g,
      (whole, link) => titledLink(source, link) ?? whole,
    );
    return before + titled.replace(
      /(?<=<[^>]*\s)(href|src|srcset)="([^"]*)"/g,
      (_, name, link) => `${name}="${addressOf(source, link, assets)}"`,
    ) + after;
  });

  eleventy.on("eleventy.after", () => {
    for (const [copy, file] of assets) {
      const target = path.join("dist", copy);
      mkdirSync(path.dirname(target), { recursive: true });
      copyFileSync(file, target);
    }
  });

  eleventy.addPassthroughCopy({ assets: "site" });

  return { dir: { input: "views", includes: "layouts", output: "dist" } };
}

const sources = new Map([...pages.values()].map((page) => [`pages/${page.url}.md`, page.source]));
const sourceOf = (input) => sources.get(input.replace(/^(\.\/)?views\//, ""));

// titledLink names a page by its title where the text names it by its file.
function titledLink(source, link) {
  const page = pages.get(resolve(source, link).target);
  return page && `<a href="${link}">${plain(page.title).replaceAll("&", "&amp;")}</a>`;
}

// coloured marks up code of a known language. Others are text as it is.
const coloured = (code, language) =>
  highlight.getLanguage(language) ? highlight.highlight(code, { language }).value : "";

// anchors gives headings the ids that GitHub gives them: small letters, without punctuation, with
// hyphens for spaces, and numbered from the second of its kind.
function anchors({ tokens }) {
  const times = new Map();
  tokens.forEach((token, i) => {
    if (token.type !== "heading_open") return;
    const text = tokens[i + 1].children
      .filter(({ type }) => type === "text" || type === "code_inline")
      .map(({ content }) => content).join("");
    const slug = text.trim().toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N} _-]/gu, "").replaceAll(" ", "-");
    const n = times.get(slug) ?? 0;
    times.set(slug, n + 1);
    token.attrSet("id", n === 0 ? slug : `${slug}-${n}`);
  });
}

// tables puts each table into a box that scrolls when the table is wider than the page, and makes
// head cells without text cells of no head.
function tables({ tokens, Token }) {
  tokens.forEach((token, i) => {
    if (token.type === "th_open" && tokens[i + 1].content === "") {
      token.tag = tokens[i + 2].tag = "td";
    }
  });
  for (let i = tokens.length - 1; i >= 0; i--) {
    const open = tokens[i].type === "table_open";
    if (!open && tokens[i].type !== "table_close") continue;
    const box = new Token("html_block", "", 0);
    box.content = open ? '<div class="scroll">\n' : "</div>\n";
    tokens.splice(open ? i : i + 1, 0, box);
  }
}
