// The pages of the site: which Markdown files they are made of, their titles and addresses, and the
// navigation. The files stay as they are on GitHub; nothing of the site is written into them.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const top = fileURLToPath(new URL("../../", import.meta.url));
export const repository = "https://github.com/seed055b7978/delegation";

const index = "docs/README.md";
const anyLink = /\]\(([^)\s]+)[^)]*\)|\b(?:href|src|srcset)="([^"]+)"/g;

// pages are the files of docs/, and every Markdown file to which one of them leads.
export const pages = new Map(); // by the path in the repository
{
  const docs = readdirSync(path.join(top, "docs")).filter((name) => name.endsWith(".md"));
  const waiting = docs.map((name) => `docs/${name}`);
  while (waiting.length > 0) {
    const source = waiting.shift();
    if (pages.has(source)) continue;
    const text = readFileSync(path.join(top, source), "utf8");
    pages.set(source, {
      source, text, url: urlOf(source), title: titleOf(source, text), tasks: [],
    });
    for (const link of linksOf(text)) {
      const { target } = resolve(source, link);
      if (target?.endsWith(".md") && existsSync(path.join(top, target))) waiting.push(target);
    }
  }
}

// urlOf is the address of a page below the site's top. Those of docs/ are at the top.
function urlOf(source) {
  if (source === index) return "index.html";
  const html = source.replace(/\.md$/, ".html");
  return html.startsWith("docs/") ? html.slice("docs/".length) : `repository/${html}`;
}

function titleOf(source, text) {
  if (source === "README.md") return "Overview"; // its heading is the project's name
  const heading = /^# (.+)$/m.exec(text);
  if (!heading) throw new Error(`${source} has no heading`);
  return plain(heading[1]);
}

// plain is Markdown as text, without code marks, emphasis and links.
export function plain(markdown) {
  return markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "").trim();
}

function linksOf(text) {
  const prose = text.replace(/^ *```[\s\S]*?^ *```$/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(anyLink)].map(([, markdown, html]) => markdown ?? html);
}

// resolve says which file of the repository a link of a page means. Links to elsewhere have none.
export function resolve(source, link) {
  const [file, anchor] = link.split("#");
  if (/^[a-z]+:|^\//i.test(link)) return {};
  const target = file === "" ? source : path.posix.join(path.posix.dirname(source), file);
  return { target: target.replace(/\/$/, ""), anchor };
}

// addressOf is where a link of a page leads on the site. A file that is no page leads to GitHub,
// and a picture to its copy, which assets then has.
export function addressOf(source, link, assets) {
  const { target, anchor } = resolve(source, link);
  if (target === undefined) return link;
  const from = pages.get(source).url;
  const fragment = anchor === undefined ? "" : `#${anchor}`;
  const page = pages.get(target);
  if (page) return page.url === from && fragment ? fragment : relative(from, page.url) + fragment;
  const file = path.join(top, target);
  if (!existsSync(file)) throw new Error(`${source}: ${link} leads nowhere`);
  if (/\.(svg|png)$/.test(target)) {
    const copy = target.startsWith("docs/") ? target.slice("docs/".length) : `repository/${target}`;
    assets.set(copy, file);
    return relative(from, copy);
  }
  const kind = statSync(file).isDirectory() ? "tree" : "blob";
  return `${repository}/${kind}/main/${target}${fragment}`;
}

export const relative = (from, to) => path.posix.relative(path.posix.dirname(from), to);

// navigation has the sections of docs/README.md, each with the pages that its table leads to. A
// page is in the first section that names it. Its tasks are the rows that lead to it.
export const navigation = [];
{
  const seen = new Set([index]);
  let section;
  for (const line of pages.get(index).text.split("\n")) {
    if (line.startsWith("## ")) navigation.push(section = { title: plain(line.slice(3)), pages: [] });
    if (!section || !line.startsWith("|")) continue;
    for (const link of linksOf(line)) {
      const { target } = resolve(index, link);
      if (!pages.has(target)) continue;
      pages.get(target).tasks.push(plain(line.split("|")[1]));
      if (seen.has(target)) continue;
      seen.add(target);
      section.pages.push(pages.get(target));
    }
  }
  for (const source of pages.keys()) {
    if (/^docs\/[^/]+$/.test(source) && !seen.has(source)) {
      throw new Error(`no table of ${index} leads to ${source}`);
    }
  }
}
