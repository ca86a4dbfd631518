// Redis dies, forgets, or remembers too little: whoever watches ends where the store is, without a
// gap or a repeat on the way (SPEC C3).
import assert from "node:assert/strict";
import { cp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Stack, sleep } from "../harness.mjs";
import { Witness, busy, logIsRight, settled, storedTasks } from "./witness.mjs";

// More of it, by hand: so often, and with that pause between a task's inputs.
const ROUNDS = Number(process.env.TASKWIRE_ROUNDS || 1);
const PAUSE_MS = Number(process.env.TASKWIRE_PAUSE_MS || 100);

const aof = (stack) => path.join(stack.folder, "appendonlydir");

const DISASTERS = {
  "is killed and reads its append-only file": async (stack) => {
    await stack.redis.kill9();
    await sleep(700);
    await stack.startRedis();
  },
  "forgets everything": (stack) => stack.redisCall("FLUSHALL"),
  "is killed and comes back empty": async (stack) => {
    await stack.redis.kill9();
    await rm(aof(stack), { recursive: true });
    await stack.startRedis();
  },
  "comes back with an older copy of its file": async (stack) => {
    await cp(aof(stack), `${aof(stack)}.older`, { recursive: true });
    await sleep(800);
    await stack.redis.kill9();
    await rm(aof(stack), { recursive: true });
    await rename(`${aof(stack)}.older`, aof(stack));
    await stack.startRedis();
  },
};

for (const [store, taskds] of [["sqlite", 1], ["mongo", 2]]) {
  test(`Redis is lost in four ways under ${taskds} taskd over ${store}`, { timeout: 170_000 * ROUNDS }, async (t) => {
    const stack = await Stack.start({ store, gateways: 0, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      if (taskds > 1) await stack.addTaskd();
      await stack.startGateway();
      await stack.startGateway();
      const bases = (stack.taskds ?? [stack.taskd]).map((d) => d.url);
      const witnesses = [await Witness.at(stack, { base: stack.gateways[0].url }), await Witness.at(stack, { base: stack.gateways[1].url })];
      const onCreated = (id) => { for (const w of witnesses) w.room(id).catch(() => {}); };
      for (const [name, disaster] of Array.from({ length: ROUNDS }, () => Object.entries(DISASTERS)).flat()) {
        await t.test(`it ${name}`, async () => {
          const inputs = 1600 / PAUSE_MS;
          const works = Array.from({ length: 4 }, (_, i) => busy(stack, { bases, onCreated, inputs: inputs + 2 * (i % 2), pauseMs: PAUSE_MS }));
          const done = Promise.all(works);
          done.catch(() => {});
          await sleep(900);
          await disaster(stack);
          await done;
          await settled(stack);
          await logIsRight(stack);
          for (const w of witnesses) await w.agrees(await storedTasks(stack));
        });
      }
      assert.ok(witnesses.every((w) => w.socket.connected));
    } finally {
      await stack.stop();
    }
  });
}
