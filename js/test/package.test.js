// What npm would publish, and that it works where it is installed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("..", import.meta.url));
const types = join(top, "testdata", "types");
const work = mkdtempSync(join(tmpdir(), "delegation-credentials-"));
after(() => rmSync(work, { recursive: true }));

const read = (...path) => readFileSync(join(top, ...path), "utf8");
const run = (folder, program, ...args) => {
  try {
    return execFileSync(program, args, { cwd: folder, encoding: "utf8" });
  } catch (error) {
    assert.fail(`${program} ${args.join(" ")}: ${error.stdout}${error.stderr}`);
  }
};

/** Installs the packed module into a folder, without a registry. */
function pack(folder) {
  const [{ filename, files }] = JSON.parse(
    run(top, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", work),
  );
  const modules = join(folder, "node_modules");
  mkdirSync(modules, { recursive: true });
  run(modules, "tar", "-xzf", join(work, filename));
  cpSync(join(modules, "package"), join(modules, "delegation-credentials"), { recursive: true });
  return files;
}

test("the package has the module, its types, README and licence, and nothing else", () => {
  const said = run(top, "npm", "pack", "--dry-run", "--json", "--ignore-scripts");
  const [{ name, files }] = JSON.parse(said);
  assert.equal(name, "delegation-credentials");
  assert.deepEqual(
    files.map(({ path }) => path).sort(),
    ["LICENSE", "README.md", "index.d.ts", "index.js", "package.json"],
  );
});

test("package.json", () => {
  const declared = JSON.parse(read("package.json"));
  assert.equal(declared.license, "MIT");
  assert.equal(read("LICENSE"), read("..", "LICENSE"));
  for (const kind of ["dependencies", "peerDependencies", "optionalDependencies"]) {
    assert.equal(declared[kind], undefined, kind);
  }
  for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
    assert.equal(declared.scripts[script], undefined, script);
  }
  const entry = declared.exports["."];
  for (const file of [entry.types, entry.default, declared.types]) {
    assert.ok(existsSync(join(top, file)), file);
  }
  assert.equal(entry.types, declared.types);
  assert.match(declared.engines.node, /^>=\d+$/);
});

test("the module imports nothing and writes to no console", () => {
  const code = read("index.js").replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "");
  assert.doesNotMatch(code, /\bimport\b|\brequire\b|console|localStorage|sessionStorage|cookie/);
});

test("the packed module loads by its name", () => {
  const folder = join(work, "loads");
  pack(folder);
  const script = `import("delegation-credentials").then((m) => console.log(Object.keys(m).join()))`;
  const said = run(folder, process.execPath, "--input-type=module", "--eval", script);
  assert.equal(said, "DelegationError,fromDelegation\n");
});

test("the types hold, with the AWS SDK and for the module itself", (t) => {
  const tsc = join(types, "node_modules", "typescript", "bin", "tsc");
  if (!existsSync(tsc)) {
    const remedy = "run first: npm ci --prefix js/testdata/types";
    assert.notEqual(process.env.CI, "true", remedy);
    return t.skip(remedy);
  }
  const folder = join(work, "types");
  pack(folder);
  for (const name of ["@aws-sdk", "@smithy", "@types"]) {
    symlinkSync(join(types, "node_modules", name), join(folder, "node_modules", name));
  }
  for (const name of ["usage.ts", "tsconfig.json"]) cpSync(join(types, name), join(folder, name));
  run(folder, process.execPath, tsc, "--project", ".");
  run(
    top, process.execPath, tsc, "--ignoreConfig", "--noEmit", "--strict",
    "--noImplicitAny", "false", "--allowJs", "--checkJs", "--target", "es2022", "--module", "nodenext",
    "--lib", "ES2023,DOM", "--types", "", "index.js",
  );
});
