// Asks the vendors' npm libraries about vectors.json; see record.py. Exits 1 where one of them says no.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import https from "node:https";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.NODE_PATH + "/");
const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const judges = {
  async github({ secret, headers, body }) {
    const { verify } = await import(pathToFileURL(process.env.NODE_PATH + "/@octokit/webhooks-methods/dist-node/index.js").href)
      .catch(() => import(pathToFileURL(process.env.NODE_PATH + "/@octokit/webhooks-methods/dist-bundle/index.js").href));
    return verify(secret, body, headers["x-hub-signature-256"]);
  },
  async linear({ secret, headers, body, now }) {
    const { LinearWebhookClient } = await import(pathToFileURL(process.env.NODE_PATH + "/@linear/sdk/dist/webhooks/index.mjs").href);
    Date.now = () => now * 1000;
    return new LinearWebhookClient(secret).verify(Buffer.from(body), headers["linear-signature"]);
  },
  async shopify({ secret, headers, body }) {
    require("@shopify/shopify-api/adapters/node");
    const { shopifyApi } = require("@shopify/shopify-api");
    const shopify = shopifyApi({
      apiKey: "k", apiSecretKey: secret, scopes: [], hostName: "bell.example.com", apiVersion: "2025-01",
      isEmbeddedApp: false, logger: { log() {} },
    });
    const rawRequest = Object.assign(Readable.from([]), { method: "POST", url: "/", headers });
    const answer = await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} });
    return answer.valid;
  },
  async sendgrid({ secret, headers, body }) {
    const { EventWebhook } = require("@sendgrid/eventwebhook");
    const hook = new EventWebhook();
    const name = "x-twilio-email-event-webhook-";
    return hook.verifySignature(hook.convertPublicKeyToECDSA(secret), body, headers[name + "signature"], headers[name + "timestamp"]);
  },
  async sns({ body, certificate }) {
    const Validator = require("sns-validator");
    https.get = (_url, answer) => {
      answer(Object.assign(Readable.from([certificate]), { statusCode: 200 }));
      return { on() {} };
    };
    return new Promise((done) => new Validator().validate(body, (error) => done(!error)));
  },
};

let wrong = 0;
for (const vector of vectors) {
  const judge = judges[vector.scheme];
  if (!judge) continue;
  const good = await judge(vector);
  const bad = await judge({ ...vector, body: vector.body.replace(/[0-9]/, "9") .replace(/"(?=[a-z])/i, '"z') }).catch(() => false);
  console.log(vector.scheme, good === true ? "accepted" : "REFUSED", bad === true ? "MUTATION ACCEPTED" : "mutation refused");
  wrong += good !== true || bad === true ? 1 : 0;
}
process.exit(wrong ? 1 : 0);
