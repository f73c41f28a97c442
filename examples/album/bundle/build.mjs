// Bundles what the page uses of AWS's SDK for JavaScript into page/vendor/aws.js, and writes the
// licenses of everything in it into page/vendor/LICENSES.txt.
//
//	npm ci && node build.mjs   # after a change of package.json, entry.js or js/
//	node build.mjs --check     # exit status 1: the committed files are not what a build gives
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, "..", "page", "vendor");

const { metafile, outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: ["entry.js"],
  outfile: "aws.js",
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  legalComments: "none", // LICENSES.txt has them all
  banner: { js: "/* Made by examples/album/bundle. LICENSES.txt has the licenses. */" },
  metafile: true,
  write: false,
});

const files = {
  "aws.js": outputFiles[0].text,
  "LICENSES.txt": licenses(bundledFolders()),
};
const stale = [];
for (const [name, text] of Object.entries(files)) {
  const path = join(vendor, name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  stale.push(name);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`page/vendor: ${stale.join(" and ")} differ from a build. ` +
    "Run: npm ci && node build.mjs, in examples/album/bundle");
  process.exit(1);
}
for (const [name, text] of Object.entries(files)) {
  console.log(`page/vendor/${name}: ${Buffer.byteLength(text)} bytes`);
}

// bundledFolders returns the folders of the packages that have a byte in the bundle.
function bundledFolders() {
  const folders = new Set();
  const [output] = Object.values(metafile.outputs);
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    if (bytesInOutput > 0) folders.add(packageFolder(join(here, input)));
  }
  folders.delete(here);
  return [...folders];
}

// packageFolder returns the nearest folder with a package.json that has a name: some packages have
// further ones that only say how a folder is loaded.
function packageFolder(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (existsSync(path) && JSON.parse(readFileSync(path, "utf8")).name) return folder;
  }
}

// licenses returns each license with the packages that have it. A package without one fails the
// build.
function licenses(folders) {
  const packages = new Map(); // by the text of the license
  for (const folder of folders.sort()) {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json")));
    const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
    if (!license || texts.length === 0) {
      throw new Error(`${relative(here, folder).split(sep).join("/")} has no license`);
    }
    const text = texts.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
    const names = packages.get(text) ?? [];
    packages.set(text, [...names, `${name} ${version} (${license})`]);
  }
  const sections = [...packages].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
  return `aws.js contains parts of these packages.\n\n${
    sections.join(`\n${"-".repeat(80)}\n\n`)}`;
}
