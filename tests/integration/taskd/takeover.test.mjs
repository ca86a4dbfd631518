// Two taskd, and the one that works the ingest stream off dies, or stands still for a while: the
// other goes on within five seconds, and each task's inputs keep their order (DESIGN 9).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, sleep, until } from "../harness.mjs";
import { Witness, deadEvents, logIsRight, publish, settled, storedTasks, timeline } from "./witness.mjs";

const TAKEOVER_MS = 5000;
const TASKS = 6;

let stack;

async function holder(among) {
  const admin = { token: stack.token("op", "ops", { roles: ["admin"] }) };
  return until("one of them holds the lease", async () => {
    for (const d of among) {
      const { body } = await stack.call("GET", "/api/admin/status", { ...admin, base: d.url }).catch(() => ({}));
      if (body?.ingest?.isHolder) return d;
    }
    return null;
  }, { ms: 15_000 });
}

/** Notes 1, 2, 3 … for every task, until told to stop. Gives how many were said. */
async function talk(ids, state) {
  let said = 0;
  while (!state.isOver) {
    said++;
    await Promise.all(ids.map((id) => publish(stack, "note", id, { text: String(said) })));
    await sleep(120);                          // some fifty a second, of which a slow store keeps up with most
  }
  return said;
}

async function disturb(ids, disturbance) {
  const state = { isOver: false };
  const talking = talk(ids, state);
  await sleep(1500);
  const victim = await holder(stack.taskds.filter((d) => d.isRunning));
  const others = stack.taskds.filter((d) => d.isRunning && d !== victim);
  const began = Date.now();
  victim.signal(disturbance);
  const heir = await holder(others);
  assert.notEqual(heir, victim);
  const admin = { base: heir.url };
  const seqs = async () => (await Promise.all(ids.map((id) => stack.call("GET", `/api/tasks/${id}`, admin)))).map((a) => a.body.seq);
  const before = await seqs();
  await until("the heir works the stream off", async () => (await seqs()).every((s, i) => s > before[i]), { ms: 15_000 });
  const ms = Date.now() - began;
  if (disturbance === "SIGSTOP") {
    await sleep(1000);
    victim.signal("SIGCONT");                  // it believes for a moment that nothing happened
    await sleep(1500);
  }
  state.isOver = true;
  const said = await talking;
  await settled(stack, admin);
  await logIsRight(stack);
  return { heir, ms, said };
}

test("the ingest stream changes hands without a word lost, repeated or out of order", { timeout: 170_000 }, async (t) => {
  stack = await Stack.start({ store: "mongo", gateways: 0, gatewayEnv: { JOINS_PER_SECOND: "0" } });
  try {
    await stack.addTaskd();
    await stack.startGateway();
    const witness = await Witness.at(stack);
    for (const disturbance of ["SIGSTOP", "SIGKILL"]) {
      const ids = await Promise.all(Array.from({ length: TASKS }, () => stack.createTask()));
      await Promise.all(ids.map((id) => witness.room(id)));
      const { heir, ms, said } = await disturb(ids, disturbance);
      assert.ok(ms < TAKEOVER_MS, `${disturbance}: it took ${ms} ms`);
      t.diagnostic(`after ${disturbance} of the holder the other went on within ${ms} ms`);
      for (const id of ids) {
        const texts = (await timeline(stack, id, { base: heir.url })).slice(1).map((e) => e.payload.text);
        assert.deepEqual(texts, Array.from({ length: said }, (_, i) => String(i + 1)));
      }
      await witness.agrees(await storedTasks(stack, { base: heir.url }));
    }
    assert.deepEqual(await deadEvents(stack), []);
  } finally {
    await stack.stop();
  }
});
