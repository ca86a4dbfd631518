// Three Redis servers share the orgs. One of them forgets everything, another is away for a while, then the
// first one: who watches an org of theirs ends where the store is, without a gap or a repeat, and
// the other orgs' people do not even notice (SPEC I2, C3).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Stack, sleep, until } from "../harness.mjs";
import { Witness, busy, logIsRight, settled, storedTasks } from "./witness.mjs";

const ORGS_EACH = 2;

/** Which server is an org's, as proto/internal.md says it. */
function portOf(stack, org) {
  const draw = (port) => createHash("sha256").update(`127.0.0.1:${port} ${org}`).digest().readBigUInt64BE(0);
  return ports(stack).reduce((best, port) => (draw(port) > draw(best) ? port : best));
}
const ports = (stack) => [stack.redisPort, ...stack.moreRedis.map((s) => s.port)];

/** So many orgs for each server: port -> names. */
function orgsOf(stack) {
  const orgs = new Map(ports(stack).map((port) => [port, []]));
  for (let i = 0; [...orgs.values()].some((names) => names.length < ORGS_EACH); i++) {
    const names = orgs.get(portOf(stack, `org${i}`));
    if (names.length < ORGS_EACH) names.push(`org${i}`);
  }
  return orgs;
}

const DISASTERS = {
  "the second server is killed and comes back empty": async (stack, { others }) => {
    const server = stack.moreRedis[0];
    await server.program.kill9();
    await others(server.port);
    await rm(path.join(server.folder, "appendonlydir"), { recursive: true });
    await stack.startMoreRedis(server);
  },
  "the third server hangs for a while": async (stack, { others }) => {
    const server = stack.moreRedis[1];
    server.program.signal("SIGSTOP");
    await others(server.port);
    await sleep(1000);
    server.program.signal("SIGCONT");
  },
  "the second server forgets everything": (stack) => stack.redisCallAt(stack.moreRedis[0].port, "FLUSHALL"),
  "the first server is killed and comes back empty": async (stack, { others }) => {
    await stack.redis.kill9();
    await others(stack.redisPort);
    await rm(path.join(stack.folder, "appendonlydir"), { recursive: true });
    await stack.startRedis();
  },
};

for (const [store, taskds] of [["sqlite", 1], ["mongo", 2]]) {
  test(`three Redis servers share the orgs under ${taskds} taskd over ${store}`, { timeout: 170_000 }, async (t) => {
    const stack = await Stack.start({ store, redisServers: 3, gateways: 0, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      if (taskds > 1) await stack.addTaskd();
      await stack.startGateway();
      await stack.startGateway();
      const bases = (stack.taskds ?? [stack.taskd]).map((d) => d.url);
      const orgs = orgsOf(stack), people = [];
      for (const [port, names] of orgs) {
        for (const [i, org] of names.entries()) {
          const token = stack.token("ann", org);
          people.push({ org, port, token, witness: await Witness.at(stack, { token, base: stack.gateways[i % 2].url }) });
        }
      }
      /** With this server away, what happens in an org of each other one is heard at once. */
      const others = (away) => Promise.all(people.filter((p) => p.port !== away).map(async ({ token, witness, org }) => {
        const id = await stack.createTask({ description: "Meanwhile" }, { token, base: bases[0] });
        await until(`${org} hears of its task`, () => witness.rows.get(id)?.seq === 1, { ms: 30_000 });
      }));
      for (const [name, disaster] of Object.entries(DISASTERS)) {
        await t.test(name, async () => {
          const done = Promise.all(people.map(({ token, witness }) => busy(stack, { token, bases, inputs: 12, pauseMs: 100,
            onCreated: (id) => { witness.room(id).catch(() => {}); } })));
          done.catch(() => {});
          await sleep(500);
          await disaster(stack, { others });
          await done;
          await settled(stack);
          for (const { org, port, token, witness } of people) {
            await logIsRight(stack, org, port);
            await witness.agrees(await storedTasks(stack, { token }));
          }
        });
      }
      await t.test("a client that lost its connection goes on where it was, wherever its org lives", async () => {
        for (const { org, token, witness } of people) {
          witness.socket.io.engine.close();
          const id = await stack.createTask({ description: "Missed" }, { token, base: bases[0] });
          await until(`${org} hears of what it missed`, () => witness.rows.get(id)?.seq === 1, { ms: 30_000 });
          assert.ok(witness.socket.recovered, org);
          assert.deepEqual(witness.wrong, []);
        }
      });
      for (const [port, names] of orgs) {
        const keys = (await stack.redisCallAt(port, "KEYS", "tasks:log:*")).split("\n").sort();
        assert.deepEqual(keys, names.map((org) => `tasks:log:${org}`).sort(), "an org's log is on its own server alone");
      }
    } finally {
      await stack.stop();
    }
  });
}
