// report.test.mjs - what gateways say of themselves in their heartbeats: bounded, and in turn complete.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, ask, until } from "../harness.mjs";

const ORGS = 230;
let stack;
before(async () => {
  stack = await Stack.start({ gatewayEnv: { EVENTS_PER_SECOND: "0" } });
  for (let i = 0; i < ORGS; i += 23) {
    await Promise.all(Array.from({ length: 23 }, async (_, k) => {
      const socket = await stack.connect({ token: stack.token(`person-${i + k}`, `org-${i + k}`) });
      assert.deepEqual(await ask(socket, "dashboard:join", {}), { ok: true });
    }));
  }
}, { timeout: 120_000 });
after(() => stack.stop());

async function report() {
  const [replica] = (await stack.call("GET", "/api/admin/replicas", { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }) })).body.replicas;
  return { ...replica, positions: replica.positions.split(" ").filter(Boolean) };
}

test("a heartbeat names a hundred orgs at most, and the next goes on with others", async () => {
  const seen = new Set();
  await until("all have been named", async () => {
    const { orgs, positions, connections, users, state } = await report();
    assert.ok(positions.length <= 100);
    for (const position of positions) {
      assert.match(position, /^org-\d+=\d+-\d+\??$/);
      seen.add(position.split("=")[0]);
    }
    return orgs === ORGS && connections === ORGS && users === ORGS && state === "ready" && seen.size === ORGS;
  }, { ms: 60_000, every: 200 });
});

test("a position is the one that the org has come to", async () => {
  await stack.createTask(undefined, { token: stack.token("person-7", "org-7") });
  await until("it is said", async () => {
    const [epoch, number] = (await stack.redisCall("HMGET", "tasks:org:org-7", "epoch", "number")).split("\n");
    return Number(number) > Number(epoch) && (await report()).positions.includes(`org-7=${epoch}-${number}`);
  }, { ms: 60_000, every: 200 });
});
