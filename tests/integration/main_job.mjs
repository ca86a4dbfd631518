// main_job.mjs - what the main job must show of any running Taskwire: one task from being
// posted to being merged, as a stock client sees it. Used over every store.
import assert from "node:assert/strict";
import { ask, until } from "./harness.mjs";

/** The events that a client hears, in order, without gap or repeat.
 *  `stack` has url, call() and connect(). `advance(step, taskId)` makes the services say it. */
export async function watchOneLife(stack, advance) {
  const dashboard = await stack.connect();
  const joined = await ask(dashboard, "dashboard:join", {});
  assert.deepEqual(joined, { ok: true });
  assert.equal(dashboard.log[0].name, "dashboard:state", "the state comes before the acknowledgement");

  const created = new Promise((done) => {
    dashboard.on("task:created", async ({ taskId }) => done({ taskId, ack: await ask(dashboard, "task:join", { taskId }) }));
  });
  const posted = await stack.call("POST", "/api/tasks", { body: { description: "Paint the door blue" } });
  assert.equal(posted.status, 202);
  assert.equal(posted.body.status, "received");
  const { taskId, ack } = await created;
  assert.equal(taskId, posted.body.taskId);
  assert.deepEqual(ack, { ok: true });

  await advance(taskId);
  const merged = () => dashboard.log.some((e) => e.name === "dashboard:task_list_updated" &&
    e.payload.taskId === taskId && e.payload.status === "merged");
  await until("the task is merged on the dashboard", merged, { ms: 60_000 });
  return { dashboard, taskId };
}

/** Check a client's log of one task: seq 1, 2, 3 … once each in events and rows. */
export function checkLog(log, taskId, { rowsFrom = 1 } = {}) {
  const mine = log.filter((e) => e.payload?.taskId === taskId);
  const state = mine.find((e) => e.name === "task:state");
  assert.ok(state, "a snapshot came");
  const snapshotSeq = state.payload.seq;
  assert.deepEqual(state.payload.events.map((e) => e.seq), Array.from({ length: snapshotSeq }, (_, i) => i + 1));

  const added = mine.filter((e) => e.name === "task:event_added").map((e) => e.payload.seq);
  assert.deepEqual(added, added.map((_, i) => snapshotSeq + 1 + i), "event_added has no gap and no repeat after the snapshot");
  const rows = mine.filter((e) => e.name === "dashboard:task_list_updated").map((e) => e.payload.seq);
  assert.deepEqual(rows, rows.map((_, i) => rowsFrom + i), "rows have no gap and no repeat");

  const states = mine.filter((e) => e.name.startsWith("task:") && !["task:state", "task:event_added", "task:created"].includes(e.name));
  const seqs = states.map((e) => e.payload.seq);
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b), "room events are in seq order");
  for (const e of states) {
    const own = mine.findIndex((x) => x.name === "task:event_added" && x.payload.seq === e.payload.seq);
    assert.ok(own > mine.indexOf(e), `${e.name} is followed by its event_added`);
  }
  return { names: states.map((e) => e.name), last: rows.at(-1), snapshotSeq };
}
