// feeds.test.mjs - a gateway listens to the orgs of its people, and to no others: subscriptions come
// with the first, and go a while after the last (who reloads a page finds it still there).
import test from "node:test";
import assert from "node:assert/strict";
import { Stack, until } from "../harness.mjs";

const LINGER_MS = 3000;

test("an org is listened to while somebody of it is here, and a while longer", async () => {
  const stack = await Stack.start({ gatewayEnv: { ORG_LINGER_MS: String(LINGER_MS) } });
  try {
    const listened = async (org) => (await stack.redisCall("PUBSUB", "NUMSUB", `tasks:live:${org}`)).split("\n")[1] === "1";
    const gone = async (org) => until(`nobody listens to ${org}`, async () => !(await listened(org)), { ms: 60_000, every: 50 });
    assert.equal(await listened("a"), false);
    const first = await stack.connect({ token: stack.token("ann", "a") }), second = await stack.connect({ token: stack.token("bob", "a") });
    const other = await stack.connect({ token: stack.token("ann", "b") });
    await until("both are listened to", async () => (await listened("a")) && (await listened("b")));

    first.disconnect();
    let left = Date.now();
    other.disconnect();
    await gone("b");
    assert.ok(Date.now() - left >= LINGER_MS - 100, "not at once");
    assert.ok(await listened("a"), "somebody is still here");

    second.disconnect();                       // and back before it has gone: it begins anew
    const back = await stack.connect({ token: stack.token("bob", "a") });
    left = Date.now();
    back.disconnect();
    await gone("a");
    assert.ok(Date.now() - left >= LINGER_MS - 100, "counted from the last");
  } finally {
    await stack.stop();
  }
});
