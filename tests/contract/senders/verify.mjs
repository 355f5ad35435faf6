// Has a sender's own library verify a message: reads it as JSON, and prints true or false.

import https from "node:https";
import { text } from "node:stream/consumers";
import { Readable } from "node:stream";

const { kind, secret, body, headers, pem } = JSON.parse(await text(process.stdin));

const libraries = {
  async github() {
    const { verify } = await import("@octokit/webhooks-methods");
    return verify(secret, body, headers["X-Hub-Signature-256"]);
  },
  async linear() {
    const { LinearWebhookClient } = await import("@linear/sdk/webhooks");
    const raw = Buffer.from(body);
    const time = JSON.parse(body).webhookTimestamp;
    return new LinearWebhookClient(secret).verify(raw, headers["Linear-Signature"], time);
  },
  async paddle() {
    const { Paddle } = await import("@paddle/paddle-node-sdk");
    const signature = headers["Paddle-Signature"];
    return new Paddle("unused").webhooks.isSignatureValid(body, secret, signature);
  },
  async shopify() {
    await import("@shopify/shopify-api/adapters/node");
    const { shopifyApi, ApiVersion } = await import("@shopify/shopify-api");
    const api = shopifyApi({
      apiKey: "key",
      apiSecretKey: secret,
      apiVersion: Object.values(ApiVersion)[0],
      hostName: "triggers.example.com",
      isEmbeddedApp: false,
      logger: { level: 0 },
    });
    const names = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const rawRequest = Object.assign(Readable.from([body]), {
      method: "POST",
      url: "/events?source=shop",
      headers: names,
    });
    const answer = await api.webhooks.validate({ rawBody: body, rawRequest });
    if (!answer.valid) console.error(answer);
    return answer.valid;
  },
  async discord() {
    const { verifyKey } = await import("discord-interactions");
    const [signature, time] = ["X-Signature-Ed25519", "X-Signature-Timestamp"];
    return verifyKey(body, headers[signature], headers[time], secret);
  },
  async sns() {
    const { default: MessageValidator } = await import("sns-validator");
    // The library fetches the certificate: it gets the tests' own.
    https.get = (url, answer) => {
      answer(Object.assign(Readable.from([pem]), { statusCode: 200 }));
      return { on() {} };
    };
    return new Promise((resolve) => {
      new MessageValidator().validate(JSON.parse(body), (error) => {
        if (error) console.error(error);
        resolve(!error);
      });
    });
  },
};

let accepted = false;
try {
  accepted = await libraries[kind]();
} catch (error) {
  console.error(error);
}
console.log(accepted);
process.exit(0);
