// The MongoDB-wire server is killed -9 in the midst of writes, with its disk in order: no
// acknowledged write is lost, and whoever watches ends where it is (SPEC C2, C3).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, sleep, until } from "../harness.mjs";
import { Witness, busy, logIsRight, recountIsRight, settled, storedTasks } from "./witness.mjs";

const ROUNDS = Number(process.env.TASKWIRE_ROUNDS || 1);

test("a store that is killed -9 loses and repeats nothing", {
  timeout: 80_000 * ROUNDS,
  skip: process.env.TASKWIRE_TEST_MONGODB_URL && "a server that was given by its URL is not ours to kill",
}, async () => {
  const stack = await Stack.start({ store: "mongo", gateways: 0, gatewayEnv: { JOINS_PER_SECOND: "0" } });
  try {
    await stack.addTaskd();
    await stack.startGateway();
    const bases = stack.taskds.map((d) => d.url);
    const witness = await Witness.at(stack);
    const onCreated = (id) => { witness.room(id).catch(() => {}); };
    for (let round = 0; round < ROUNDS; round++) {
      const done = Promise.all(Array.from({ length: 4 }, () => busy(stack, { bases, onCreated, inputs: 30, pauseMs: 50 })));
      done.catch(() => {});
      await sleep(1000 + 300 * round);
      await stack.mongo("kill9");
      await until("it is degraded", async () => (await stack.call("GET", "/api/health", { base: bases[0], token: null })).body.status === "degraded");
      const refused = await stack.call("GET", "/api/tasks", { base: bases[0] });
      assert.equal(refused.status, 503);
      assert.equal(refused.body.code, "unavailable");
      await stack.mongo("restart");
      await done;
      await settled(stack);
      await logIsRight(stack);
      await witness.agrees(await storedTasks(stack));
      await recountIsRight(stack);
    }
  } finally {
    await stack.stop();
  }
});
