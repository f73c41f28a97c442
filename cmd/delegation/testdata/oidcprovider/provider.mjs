// Runs oidc-provider on loopback until standard input ends. Users sign in by its own login form,
// with any name, and any password.
//
//	stdout  the issuer's URL, and then a line for each line of stdin that is done
//	stdin   "rotate": new keys replace those of the provider, at the same issuer
//	        "clock SECONDS": the provider's clock is that much ahead of the machine's
//	        "logout URL SUB SID": a logout token of photo-app is sent there
//
// The clients photo-app and other-app get ID tokens with RS256, photo-app-ec with ES256. An access
// token is opaque, but it is a JWT for the resource urn:photos, which has photo-app as its audience.
import { createServer } from "node:http";
import { generateKeyPair } from "node:crypto";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Provider } from "oidc-provider";

console.info = console.error; // the package's notices: stdout is for the test

const generate = promisify(generateKeyPair);

async function key(kind, options) {
  const { privateKey } = await generate(kind, options);
  return privateKey.export({ format: "jwk" });
}

const client = (id, algorithm) => ({
  client_id: id,
  application_type: "native",
  token_endpoint_auth_method: "none",
  redirect_uris: ["http://127.0.0.1/callback"],
  id_token_signed_response_alg: algorithm,
  userinfo_signed_response_alg: algorithm,
  backchannel_logout_uri: "http://127.0.0.1:9/backchannel-logout", // "logout" has another
  backchannel_logout_session_required: true,
});

const resource = {
  scope: "photos",
  audience: "photo-app",
  accessTokenFormat: "jwt",
  jwt: { sign: { alg: "RS256" } },
};

async function provider(issuer) {
  const keys = [
    await key("rsa", { modulusLength: 2048 }),
    await key("ec", { namedCurve: "P-256" }),
  ];
  return new Provider(issuer, {
    clients: [
      client("photo-app", "RS256"),
      client("photo-app-ec", "ES256"),
      client("other-app", "RS256"),
    ],
    jwks: { keys },
    // Its dispatcher refuses addresses of this machine.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    // By default the claims of a scope are in the answer of userinfo alone, as in the standard.
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        groups: ["photo-editors"],
      }),
    }),
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: true },
      jwtUserinfo: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => resource },
    },
    scopes: ["openid", "photos"],
    cookies: { keys: ["for tests"] },
  });
}

const server = createServer((request, response) => handle(request, response));
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
let current = await provider(issuer);
let handle = current.callback();
console.log(issuer);

const realNow = Date.now;
for await (const line of createInterface({ input: process.stdin })) {
  const [command, value, sub, sid] = line.split(" ");
  if (command === "rotate") {
    current = await provider(issuer);
    handle = current.callback();
  } else if (command === "clock") {
    Date.now = () => realNow() + 1000 * Number(value);
  } else if (command === "logout") {
    const app = await current.Client.find("photo-app");
    app.backchannelLogoutUri = value;
    await app.backchannelLogout(sub, sid);
  } else {
    throw new Error(`unknown command ${command}`);
  }
  console.log(line);
}
process.exit();
