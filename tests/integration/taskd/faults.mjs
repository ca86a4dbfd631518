// faults.mjs - taskd is killed at every step between commit, publish, mark and acknowledgement; or it stops
// there while Redis or the MongoDB-wire server is killed, and goes on: nothing is lost, nothing
// happens twice, nobody who watches sees a gap (SPEC C2, C3, T4).
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Stack, until } from "../harness.mjs";
import { LIFE, Witness, deadEvents, live, logIsRight, recountIsRight, settled, storedTasks, timeline } from "./witness.mjs";

// Of each step the first time, or one in the midst of things.
const STEPS = {
  sqlite: ["before-commit:7", "after-commit", "after-commit:5", "after-settle", "before-publish:2", "after-publish",
    "after-publish:6", "after-notify:2", "before-mark:2", "after-mark:3", "before-ack:4", "after-ack:2", "before-dead", "before-begin", "after-begin"],
  mongo: ["after-commit:4", "amid-settle", "after-settle", "after-notify", "before-publish:3", "after-publish:5", "before-mark", "after-mark:2",
    "before-ack:3", "before-dead", "after-begin", "amid-fold"],
};

// What its creator is told of a life, once each (SPEC E, user:notification).
const KINDS = ["needs_answer", "pr_ready", "merged"];
const kindsOf = (notices, id) => notices.filter((n) => n.taskId === id).map((n) => n.kind);
/** Live; or, where Redis was lost on the way, as it is kept until it is read. */
const heard = (witness, id) => kindsOf([...witness.notices.values()], id);
const kept = async (stack, id) => kindsOf((await stack.call("GET", "/api/notifications?limit=100")).body.notifications, id).reverse();

/** A life went on over what happened at `step`: is everything there, once? */
async function livedWell(stack, witness, step, { taskId, late }, told) {
  await until(`${step}: the task has lived`, async () => (await timeline(stack, taskId).catch(() => [])).length >= LIFE.length, { ms: 60_000 });
  await settled(stack);
  assert.deepEqual((await timeline(stack, taskId)).map((e) => e.eventType), LIFE, step);
  assert.equal((await deadEvents(stack)).filter((e) => e === late).length, 1, `${step}: the late input is one dead letter`);
  await logIsRight(stack);
  await until(`${step}: its creator was told of it`, async () => (await told(taskId)).length >= KINDS.length, { ms: 10_000 });
  assert.deepEqual(await told(taskId), KINDS, step);
  await witness.agrees(await storedTasks(stack)).catch((error) => { throw new Error(`${step}: ${error.message}`, { cause: error }); });
}

/** So that this step comes. */
async function provoke(stack, step) {
  if (step === "amid-fold") {                  // so many new tasks that their count is written down
    await Promise.all(Array.from({ length: 45 }, () => stack.createTask()));
    await settled(stack);
  }
  await stack.taskd.stop();
  if (step.endsWith("begin") || step === "amid-fold") await stack.redisCall("DEL", "tasks:org:acme", "tasks:log:acme");
}

export function testFaults(store) {
  test(`a taskd that is killed at any step loses and repeats nothing over ${store}`, { timeout: 170_000 }, async () => {
    const stack = await Stack.start({ store, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      const witness = await Witness.at(stack);
      for (const step of STEPS[store]) {
        await provoke(stack, step);
        await stack.startTaskd({ TASKWIRE_FAULT: step }).catch(() => {});   // it may die before it is ready
        const victim = stack.taskd;
        const life = live(stack, { onCreated: (id) => { witness.room(id).catch(() => {}); } });
        await until(`it dies at ${step}`, () => !victim.isRunning, { ms: 20_000 });
        assert.equal((await victim.ended).signal, "SIGKILL", step);
        await stack.startTaskd();
        await livedWell(stack, witness, step, await life.catch((error) => { throw new Error(`${step}: ${error.message}`); }), (id) => heard(witness, id));
      }
      assert.equal((await deadEvents(stack)).length, STEPS[store].length);
      await recountIsRight(stack);
    } finally {
      await stack.stop();
    }
  });
}

// What is killed while taskd stands still at a step.
const SERVERS = {
  Redis: {
    store: "sqlite",
    steps: ["after-commit:3", "after-notify", "before-publish:2", "after-publish:4", "before-mark", "after-mark:2", "before-ack:3", "after-ack", "before-dead", "before-begin", "after-begin"],
    kill: (stack) => stack.redis.kill9(),
    restart: (stack) => stack.startRedis(),
  },
  "the MongoDB-wire server": {
    store: "mongo",
    steps: ["after-commit:3", "amid-settle", "after-settle", "after-notify", "before-publish:2", "after-publish:3", "before-mark", "after-mark:2", "before-ack:2", "after-begin"],
    kill: (stack) => stack.mongo("kill9"),
    restart: (stack) => stack.mongo("restart"),
  },
};

const stands = async ({ child }) => (await readFile(`/proc/${child.pid}/stat`, "utf8")).split(") ")[1][0] === "T";

export function testServerFaults(server) {
  const { store, steps, kill, restart } = SERVERS[server];

  test(`${server} that is killed at any step of taskd's loses and repeats nothing`, { timeout: 170_000 }, async () => {
    const stack = await Stack.start({ store, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      const witness = await Witness.at(stack);
      for (const step of steps) {
        await provoke(stack, step);
        stack.startTaskd({ TASKWIRE_FAULT: step, TASKWIRE_FAULT_STOPS: "1" }).catch(() => {});   // it may stop before it is ready
        const life = live(stack, { onCreated: (id) => { witness.room(id).catch(() => {}); } });
        await until(`it stands at ${step}`, () => stands(stack.taskd), { ms: 30_000 });
        await kill(stack);
        await restart(stack);
        stack.taskd.signal("SIGCONT");
        await livedWell(stack, witness, step, await life.catch((error) => { throw new Error(`${step}: ${error.message}`); }), (id) => kept(stack, id));
      }
      assert.equal((await deadEvents(stack)).length, steps.length);
      await recountIsRight(stack);
    } finally {
      stack.taskd.signal("SIGCONT");
      await stack.stop();
    }
  });
}
