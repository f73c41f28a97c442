// The JavaScript of docs/mobile.md, with Amplify.
import assert from "node:assert/strict";
import {
  existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const top = fileURLToPath(new URL("..", import.meta.url));
const installed = join(top, "testdata", "types", "node_modules");

test("Amplify takes credentials from the provider of docs/mobile.md", async (t) => {
  if (!existsSync(join(installed, "aws-amplify"))) {
    const remedy = "run first: npm ci --prefix js/testdata/types";
    assert.notEqual(process.env.CI, "true", remedy);
    return t.skip(remedy);
  }
  const page = readFileSync(join(top, "..", "docs", "mobile.md"), "utf8");
  const blocks = [...page.matchAll(/^```js\n([^]*?)^```$/gm)];
  assert.equal(blocks.length, 1, "one block of JavaScript");

  const work = mkdtempSync(join(tmpdir(), "delegation-amplify-"));
  t.after(() => rmSync(work, { recursive: true }));
  mkdirSync(join(work, "node_modules"));
  symlinkSync(join(installed, "aws-amplify"), join(work, "node_modules", "aws-amplify"));
  symlinkSync(top, join(work, "node_modules", "delegation-credentials"));
  const script = `${blocks[0][1]}\nexport { credentials };
    export { fetchAuthSession } from "aws-amplify/auth";`;
  writeFileSync(join(work, "package.json"), `{"type": "module"}`);
  writeFileSync(join(work, "app.js"), script);
  writeFileSync(join(work, "sign-in.js"), `export const idToken = async () => "token";`);

  let requests = 0;
  mock.method(globalThis, "fetch", async (url, { headers }) => {
    requests++;
    assert.equal(String(url), "https://delegation.example.com/credentials?target=photo-app");
    assert.equal(headers.Authorization, "Bearer token");
    return Response.json({
      AccessKeyId: `ASIA${requests}`,
      SecretAccessKey: "secret",
      Token: "session token",
      Expiration: new Date(Date.now() + 3600_000).toISOString(),
    });
  });
  const { credentials, fetchAuthSession } = await import(pathToFileURL(join(work, "app.js")));
  const key = async (options) => (await fetchAuthSession(options)).credentials.accessKeyId;
  assert.equal(await key(), "ASIA1");
  assert.equal(await key(), "ASIA1");
  assert.equal(await key({ forceRefresh: true }), "ASIA2");
  credentials.forget();
  assert.equal(await key(), "ASIA3");
});
