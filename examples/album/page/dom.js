// Elements of the page.

export const find = (id) => document.getElementById(id);

// show shows or hides an element of the page.
export function show(id, visible = true) {
  find(id).hidden = !visible;
}

// element makes an element. Text is always text: nothing that a server says becomes markup.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return made;
}

const shapes = {
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  dash: "M4 8h8",
  wait: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11M8 5v3.2l2 1.3",
  bin: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5M7 7v3.5M9 7v3.5",
  before: "M10 3 5 8l5 5",
  after: "M6 3l5 5-5 5",
  plus: "M8 3v10M3 8h10",
  lock: "M5 7V5a3 3 0 0 1 6 0v2M4 7h8v6H4z",
  cloud: "M5 12h6.5a2.5 2.5 0 0 0 .3-5A4 4 0 0 0 4.3 7.6A2.3 2.3 0 0 0 5 12z",
};

// icon draws a small picture. It is decoration: the text next to it says the same.
export function icon(shape) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", shapes[shape]);
  svg.append(path);
  return svg;
}

// button makes a button that calls a function.
export function button(text, click, style = "") {
  return element("button", { type: "button", class: `button ${style}`.trim(), click }, text);
}

// facts fills a dl with [term, text] pairs. A pair without a text is left out.
export function facts(list, pairs) {
  list.replaceChildren(...pairs.filter(([, text]) => text).map(([term, text]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, text))));
}

// say has screen readers say something that the page shows elsewhere.
export function say(text) {
  find("said").textContent = text;
}
