// faults.mjs - taskd is killed at every step between commit, publish, mark and acknowledgement: nothing is
// lost, nothing happens twice, nobody who watches sees a gap (SPEC C2, T4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, until } from "../harness.mjs";
import { LIFE, Witness, deadEvents, live, logIsRight, recountIsRight, settled, storedTasks, timeline } from "./witness.mjs";

// Of each step the first time, or one in the midst of things.
const STEPS = {
  sqlite: ["before-commit:7", "after-commit", "after-commit:5", "after-settle:3", "before-publish:2", "after-publish",
    "after-publish:6", "after-notify:2", "before-mark:2", "after-mark:3", "before-ack:4", "after-ack:2", "before-dead", "before-begin", "after-begin"],
  mongo: ["after-commit:4", "amid-settle:3", "after-settle:2", "after-notify", "before-publish:3", "after-publish:5", "before-mark", "after-mark:2",
    "before-ack:3", "before-dead", "after-begin", "amid-fold"],
};

// What its creator is told of a life, once each (SPEC E, user:notification).
const KINDS = ["needs_answer", "pr_ready", "merged"];
const kindsOf = (witness, id) => [...witness.notices.values()].filter((n) => n.taskId === id).map((n) => n.kind);

export function testFaults(store) {
  test(`a taskd that is killed at any step loses and repeats nothing over ${store}`, { timeout: 170_000 }, async () => {
    const stack = await Stack.start({ store, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      const witness = await Witness.at(stack);
      for (const step of STEPS[store]) {
        if (step === "amid-fold") {              // so many new tasks that their count is written down
          await Promise.all(Array.from({ length: 45 }, () => stack.createTask()));
          await settled(stack);
        }
        await stack.taskd.stop();
        if (step.endsWith("begin") || step === "amid-fold") await stack.redisCall("DEL", "tasks:org:acme", "tasks:log:acme");
        await stack.startTaskd({ TASKWIRE_FAULT: step }).catch(() => {});   // it may die before it is ready
        const victim = stack.taskd;
        const life = live(stack, { onCreated: (id) => { witness.room(id).catch(() => {}); } });
        await until(`it dies at ${step}`, () => !victim.isRunning, { ms: 20_000 });
        assert.equal((await victim.ended).signal, "SIGKILL", step);
        await stack.startTaskd();
        const { taskId, late } = await life.catch((error) => { throw new Error(`${step}: ${error.message}`); });
        await until(`${step}: the task has lived`, async () => (await timeline(stack, taskId)).length >= LIFE.length, { ms: 30_000 });
        await settled(stack);
        assert.deepEqual((await timeline(stack, taskId)).map((e) => e.eventType), LIFE, step);
        assert.equal((await deadEvents(stack)).filter((e) => e === late).length, 1, `${step}: the late input is one dead letter`);
        await logIsRight(stack);
        await until(`${step}: its creator was told of it`, () => kindsOf(witness, taskId).length >= KINDS.length, { ms: 10_000 });
        assert.deepEqual(kindsOf(witness, taskId), KINDS, step);
        await witness.agrees(await storedTasks(stack)).catch((error) => { throw new Error(`${step}: ${error.message}`, { cause: error }); });
      }
      assert.equal((await deadEvents(stack)).length, STEPS[store].length);
      await recountIsRight(stack);
    } finally {
      await stack.stop();
    }
  });
}
