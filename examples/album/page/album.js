// The album: photos, uploads, the viewer, and the folder of somebody else.

import { button, element, facts, find, icon, say, show } from "./dom.js";
import { paintSamples } from "./samples.js";
import { isTaken, largest } from "./storage.js";
import {
  broken, capital, clock, count, day, refusedByAWS, size, storageDown, troubleOf,
} from "./words.js";

const atOnce = 3; // uploads

// createAlbum prepares the album's part of the page. ended is called with an error that ends the
// use of the credentials.
export function createAlbum({ settings, ended }) {
  let storage;
  let user;
  let photos = [];
  let listed = false; // photos has those of S3, so uploads may begin
  const images = new Map(); // URLs of thumbnails, by name
  const taken = new Set(); // names of photos that are not listed, as S3 has said
  const waiting = []; // uploads that have not begun
  let running = 0;
  let stay = new AbortController(); // aborted by close

  // open shows the album of a user.
  async function open(of, who) {
    storage = of;
    user = who;
    stay = new AbortController();
    find("album-title").textContent = `${capital(user.name)}’s album`;
    find("folder").textContent = `s3://${settings.bucket}/${user.folder}/`;
    find("peeked").replaceChildren();
    describeOther();
    await Promise.all([refresh(), identify()]);
  }

  function close() {
    stay.abort();
    storage?.close();
    storage = undefined;
    photos = [];
    listed = false;
    taken.clear();
    waiting.length = 0;
    viewed = undefined;
    dropView();
    for (const url of images.values()) URL.revokeObjectURL(url);
    images.clear();
    find("viewer").close();
    find("confirm").close();
    find("uploads").replaceChildren();
    show("uploads", false);
    find("photos").replaceChildren();
    find("identity").replaceChildren();
  }

  // ---- Photos

  async function refresh() {
    const mine = stay.signal;
    const before = photos;
    show("photos-loading", photos.length === 0);
    show("empty", false);
    show("album-problem", false);
    try {
      const found = await storage.list();
      if (mine.aborted) return;
      const names = new Set(found.map(({ name }) => name));
      // Uploads that have finished in the meantime may be missing in the answer.
      const added = photos.filter((one) => !before.includes(one) && !names.has(one.name));
      photos = [...added, ...found];
      listed = true;
      draw();
      next();
    } catch (error) {
      if (!mine.aborted) explain(error, "Your photos cannot be listed.", refresh);
    } finally {
      show("photos-loading", false);
    }
  }

  function draw() {
    const list = find("photos");
    const shown = new Map([...list.children].map((item) => [item.dataset.name, item]));
    list.replaceChildren(...photos.map((photo) => shown.get(photo.name) ?? tile(photo)));
    show("photos", photos.length > 0);
    show("empty", photos.length === 0);
  }

  function tile(photo) {
    const picture = element("img", { alt: photo.name, width: 240, height: 180 });
    const item = element("li", { class: "photo" },
      element("button", { type: "button", class: "thumb", click: () => view(photo.name) }, picture),
      element("div", { class: "caption" },
        element("p", {},
          element("span", { class: "name", title: photo.name }, photo.name),
          element("span", { class: "soft small" }, size(photo.size))),
        element("button", {
          type: "button",
          class: "button bare",
          "aria-label": `Delete ${photo.name}`,
          click: () => askToDelete(photo.name),
        }, icon("bin"))));
    item.dataset.name = photo.name;
    void load(photo, picture);
    return item;
  }

  async function load(photo, picture) {
    const mine = stay.signal;
    try {
      const blob = await storage.thumbnail(photo);
      if (mine.aborted) return;
      images.set(photo.name, URL.createObjectURL(blob));
      picture.src = images.get(photo.name);
      picture.closest("li")?.classList.add("loaded");
    } catch {
      picture.closest("li")?.classList.add("broken");
    }
  }

  // explain shows what went wrong above the photos.
  function explain(error, what, retry) {
    const trouble = troubleOf(error);
    if (ended(trouble, error)) return;
    const lines = trouble.kind === storageDown
      ? ["Amazon S3 does not answer. Check your connection, and that the bucket lets this page " +
        "call it. Then try again."]
      : [quoteOf(trouble)];
    find("album-problem").replaceChildren(
      element("strong", {}, what), ...lines.map((line) => element("p", {}, line)),
      button("Try again", retry));
    show("album-problem");
  }

  // ---- Uploads

  function add(files) {
    for (const file of files) {
      const upload = { file, end: new AbortController() };
      upload.row = rowOf(upload);
      rename(upload);
      find("uploads").append(upload.row.item);
      show("uploads");
      waiting.push(upload);
    }
    next();
  }

  // rename gives an upload the first name that no photo and no other upload has.
  function rename(upload) {
    const { file, row } = upload;
    const others = [...find("uploads").children].filter((item) => item !== row.item);
    upload.name = freeName(file.name, new Set([
      ...taken, ...photos.map(({ name }) => name), ...others.map((item) => item.dataset.name),
    ]));
    row.item.dataset.name = upload.name;
    row.title.textContent = upload.name;
    row.bar.setAttribute("aria-label", `Upload of ${upload.name}`);
    row.stop.setAttribute("aria-label", `Cancel the upload of ${upload.name}`);
  }

  function freeName(name, used) {
    const dot = name.lastIndexOf(".") > 0 ? name.lastIndexOf(".") : name.length;
    let free = name;
    for (let i = 2; used.has(free); i++) free = `${name.slice(0, dot)} (${i})${name.slice(dot)}`;
    return free;
  }

  // rowOf makes the row of an upload, which gets its texts from rename.
  function rowOf(upload) {
    const title = element("span", { class: "name" });
    const bar = element("progress", { max: 1, value: 0 });
    const state = element("span", { class: "state soft" }, "waiting");
    const stop = element("button", {
      type: "button",
      class: "button bare",
      click: () => cancel(upload),
    }, icon("cross"));
    const item = element("li", { class: "upload" },
      title, element("span", { class: "soft" }, size(upload.file.size)), bar, state, stop);
    return { item, title, bar, state, stop };
  }

  function cancel(upload) {
    upload.end.abort();
    const at = waiting.indexOf(upload);
    if (at < 0) return; // run sees the signal
    waiting.splice(at, 1);
    cancelled(upload);
  }

  function cancelled({ name, row }) {
    row.item.remove();
    show("uploads", find("uploads").children.length > 0);
    say(`The upload of ${name} is cancelled.`);
  }

  function next() {
    while (listed && running < atOnce && waiting.length > 0) {
      running++;
      void run(waiting.shift()).finally(() => {
        running--;
        next();
      });
    }
  }

  async function run(upload) {
    const { file, end, row } = upload;
    const mine = stay.signal;
    try {
      if (file.size > largest) throw new Error(`It is larger than ${size(largest)}.`);
      const { hasThumbnail } = await store(upload, AbortSignal.any([end.signal, mine]));
      if (mine.aborted) return;
      const { name } = upload;
      row.item.remove();
      photos = [
        { name, size: file.size, modified: new Date(), hasThumbnail },
        ...photos,
      ];
      draw();
      say(`${name} is in your folder.`);
    } catch (error) {
      if (!mine.aborted) failed(upload, error);
    } finally {
      show("uploads", find("uploads").children.length > 0);
    }
  }

  // store uploads a file under the first name that is free in S3. The list may be older than a
  // photo of another window.
  async function store(upload, signal) {
    const { row } = upload;
    const progress = (share) => {
      row.bar.value = share;
      row.state.textContent = `${Math.round(100 * share)} %`;
    };
    for (;;) {
      rename(upload);
      row.state.textContent = "0 %";
      try {
        return await storage.upload(upload.name, upload.file, { progress, signal });
      } catch (error) {
        if (!isTaken(error)) throw error;
        signal.throwIfAborted();
        taken.add(upload.name);
      }
    }
  }

  function failed(upload, error) {
    const { name, row } = upload;
    if (upload.end.signal.aborted) {
      cancelled(upload);
      return;
    }
    const trouble = troubleOf(error);
    if (ended(trouble, error)) return;
    row.item.classList.add("failed");
    row.bar.remove();
    row.state.textContent = "not uploaded";
    row.stop.setAttribute("aria-label", `Remove ${name} from this list`);
    row.stop.addEventListener("click", () => {
      row.item.remove();
      show("uploads", find("uploads").children.length > 0);
      find("add").focus();
    });
    const why = trouble.kind === storageDown
      ? "Amazon S3 does not answer. Try it again in a moment."
      : quoteOf(trouble);
    row.item.append(element("p", { class: "why", role: "alert" }, why));
    if (trouble.kind === broken) return;
    row.item.append(button("Retry", () => {
      row.item.remove();
      add([upload.file]);
    }));
  }

  // ---- The viewer

  let viewed; // name
  let viewedURL; // of the photo that the viewer shows

  function dropView() {
    URL.revokeObjectURL(viewedURL);
    viewedURL = undefined;
    find("viewer-save").removeAttribute("href");
  }

  async function view(name) {
    const mine = stay.signal;
    viewed = name;
    dropView();
    const photo = photos.find((one) => one.name === name);
    const at = photos.indexOf(photo);
    find("viewer-name").textContent = name;
    find("viewer-about").textContent =
      `${size(photo.size)}, ${day(photo.modified)}, photo ${at + 1} of ${photos.length}`;
    find("viewer-before").disabled = at === 0;
    find("viewer-after").disabled = at === photos.length - 1;
    const picture = element("img", { alt: name });
    if (images.has(name)) picture.src = images.get(name);
    find("viewer-frame").replaceChildren(picture);
    if (!find("viewer").open) {
      find("viewer").showModal();
      find("viewer-close").focus();
    }
    try {
      const blob = await storage.read(name);
      if (mine.aborted || viewed !== name) return;
      dropView(); // the same photo may have been read twice
      viewedURL = URL.createObjectURL(blob);
      picture.src = viewedURL;
      find("viewer-save").href = viewedURL;
      find("viewer-save").download = name;
    } catch (error) {
      if (mine.aborted || viewed !== name) return;
      find("viewer").close();
      explain(error, `${name} cannot be shown.`, () => view(name));
    }
  }

  function step(by) {
    const at = photos.findIndex((one) => one.name === viewed) + by;
    if (at < 0 || at >= photos.length) return;
    void view(photos[at].name);
    const pressed = document.activeElement;
    if (pressed.disabled || pressed === document.body) find("viewer-close").focus();
  }

  // ---- Deletion

  let doomed; // name

  function askToDelete(name) {
    doomed = name;
    find("confirm-title").textContent = `Delete ${name}?`;
    find("confirm").showModal();
    find("confirm-no").focus();
  }

  async function remove() {
    const name = doomed;
    find("confirm").close();
    find("viewer").close();
    const at = photos.findIndex((one) => one.name === name);
    try {
      await storage.remove(photos[at]);
      photos = photos.filter((one) => one.name !== name);
      URL.revokeObjectURL(images.get(name));
      images.delete(name);
      draw();
      say(`${name} is deleted.`);
      const neighbour = find("photos").children[Math.min(at, photos.length - 1)];
      (neighbour?.querySelector("button") ?? find("add")).focus();
    } catch (error) {
      explain(error, `${name} is not deleted.`, () => askToDelete(name));
    }
  }

  // ---- Who AWS thinks you are

  async function identify() {
    const mine = stay.signal;
    try {
      const { Account, Arn, UserId } = await storage.whoami();
      if (mine.aborted) return;
      const [, role, session] = Arn.split(":").pop().split("/");
      const list = element("dl", { class: "facts" });
      facts(list, [["Account", Account], ["Role", role], ["Session name", session],
        ["User ID", UserId]]);
      find("identity").replaceChildren(
        element("p", { class: "arn" }, Arn), list,
        element("p", { class: "soft small" },
          `The answer of AWS STS to GetCallerIdentity, at ${clock(Date.now())}.`));
    } catch (error) {
      if (mine.aborted) return;
      const trouble = troubleOf(error);
      const text = trouble.kind === refusedByAWS ? quoteOf(trouble) : "AWS STS does not answer.";
      find("identity").replaceChildren(
        element("p", { class: "soft" }, text), button("Ask again", identify));
    }
  }

  // ---- The folder of somebody else

  function describeOther() {
    const other = otherOf(settings.users ?? [], user.folder);
    const name = capital(other);
    find("other-title").textContent = `${name}’s folder`;
    find("other-text").textContent =
      `The page has no rule against it. It asks S3 for ${name}’s photos with your credentials.`;
    find("peek").textContent = `Try ${name}’s folder`;
  }

  async function peek() {
    const mine = stay.signal;
    const other = otherOf(settings.users ?? [], user.folder);
    find("peek").disabled = true;
    find("peeked").replaceChildren(element("p", { class: "soft small" }, "Asking S3…"));
    try {
      const { Contents = [] } = await storage.peek(other);
      if (mine.aborted) return;
      find("peeked").replaceChildren(element("p", { class: "why" },
        `S3 listed ${count(Contents.length, "object")}. The role’s policy should not allow it: ` +
        "it must name the folder by ${saml:sub}."));
    } catch (error) {
      const trouble = troubleOf(error);
      if (mine.aborted || ended(trouble, error)) return;
      find("peeked").replaceChildren(...refusal(trouble));
    } finally {
      find("peek").disabled = false;
      if (document.activeElement === document.body) find("peek").focus();
    }
  }

  function refusal(trouble) {
    if (trouble.kind !== refusedByAWS) {
      return [element("p", { class: "why" }, "Amazon S3 does not answer. Try again in a moment.")];
    }
    return [
      element("blockquote", { class: "quote" },
        element("p", {}, trouble.said), element("p", { class: "soft" }, trouble.by)),
      element("p", { class: "soft small" },
        "The role’s policy allows the folder ${saml:sub}, which is your own."),
    ];
  }

  // ---- Listening

  const dropped = (event) => event.dataTransfer?.types.includes("Files");
  const drop = find("album");
  // A file that misses the album must not replace the page.
  for (const type of ["dragover", "drop"]) {
    document.addEventListener(type, (event) => { if (dropped(event)) event.preventDefault(); });
  }
  drop.addEventListener("dragover", (event) => drop.classList.toggle("over", dropped(event)));
  drop.addEventListener("dragleave", (event) => {
    if (!drop.contains(event.relatedTarget)) drop.classList.remove("over");
  });
  drop.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (storage && dropped(event)) add(event.dataTransfer.files);
  });
  find("add").addEventListener("click", () => find("files").click());
  find("files").addEventListener("change", ({ target }) => {
    add(target.files);
    target.value = ""; // the same file can be chosen again
  });
  find("samples").addEventListener("click", async () => {
    const mine = stay.signal;
    const files = await paintSamples();
    if (!mine.aborted) add(files);
  });
  find("peek").addEventListener("click", peek);
  find("viewer-before").append(icon("before"));
  find("viewer-after").append(icon("after"));
  find("viewer-before").addEventListener("click", () => step(-1));
  find("viewer-after").addEventListener("click", () => step(1));
  find("viewer-close").addEventListener("click", () => find("viewer").close());
  find("viewer-delete").addEventListener("click", () => askToDelete(viewed));
  find("viewer").addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
  find("viewer").addEventListener("close", () => {
    viewed = undefined;
    dropView();
  });
  find("confirm-no").addEventListener("click", () => find("confirm").close());
  find("confirm-yes").addEventListener("click", remove);

  return { open, close, identify };
}

// otherOf returns a user whose folder is not this one.
function otherOf(users, folder) {
  return users.find((name) => name !== folder) ?? "somebody";
}

function quoteOf({ kind, said, by }) {
  return kind === broken ? said : `${said} (${by})`;
}
