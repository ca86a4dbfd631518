// rooms.test.mjs - who is told what (SPEC A2, A3, C1): dashboards with private parts,
// evictions, resyncs, refusals, and tokens' ends.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, sleep, until } from "../harness.mjs";

let stack;
before(async () => { stack = await Stack.start(); });
after(async () => { await stack.stop(); });

const names = (socket) => socket.log.map((e) => e.name);
const last = (socket, name) => socket.log.filter((e) => e.name === name).at(-1)?.payload;

async function patch(id, body, token) {
  const { headers } = await stack.call("GET", `/api/tasks/${id}`, { token });
  return stack.call("PATCH", `/api/tasks/${id}`, { token, body, headers: { "If-Match": headers.get("etag") } });
}

test("a dashboard holds the org's tasks for all, and one's own private ones for oneself", async () => {
  const org = "rooms-dash";
  const ann = stack.token("ann", org), bob = stack.token("bob", org);
  const open = await stack.createTask({ description: "open" }, { token: ann });
  const hidden = await stack.createTask({ description: "hidden", isPrivate: true }, { token: ann });
  await until("both are published", async () => {
    const { body } = await stack.call("GET", "/api/tasks", { token: ann });
    return body.activeCount === 1 && body.private.activeCount === 1;
  });
  const a = await stack.connect({ token: ann }), b = await stack.connect({ token: bob });

  assert.deepEqual(await ask(a, "dashboard:join", {}), { ok: true });
  assert.deepEqual(await ask(b, "dashboard:join", {}), { ok: true });
  await until("both hold it", () => a.log.length > 0 && b.log.length > 0);
  const mine = a.log[0].payload, theirs = b.log[0].payload;
  assert.deepEqual(new Set(mine.tasks.map((t) => t.taskId)), new Set([open, hidden]));
  assert.deepEqual(theirs.tasks.map((t) => t.taskId), [open]);
  assert.equal(mine.activeCount, 1);
  assert.equal(mine.private.activeCount, 1);
  assert.deepEqual(theirs.private, { activeCount: 0, completedCount: 0, failedCount: 0, rev: 0 });
  assert.deepEqual(await ask(b, "task:join", { taskId: hidden }),
    { ok: false, error: { message: "Not found", code: "not_found" } });
  assert.deepEqual(await ask(a, "task:join", { taskId: hidden }), { ok: true });
});

test("the acknowledgement comes after the state that was asked for", async () => {
  const id = await stack.createTask();
  const socket = await stack.connect();
  const order = [];
  socket.onAny((name) => order.push(name));
  await new Promise((done) => socket.emit("task:join", { taskId: id }, () => { order.push("ack"); done(); }));
  assert.deepEqual(order, ["task:state", "ack"]);
});

test("a task that turns private takes out who may not see it, before anything more is said", async () => {
  const ann = stack.token("ann"), bob = stack.token("bob");
  const id = await stack.createTask({ description: "soon private" }, { token: ann });
  const a = await stack.connect({ token: ann }), b = await stack.connect({ token: bob });
  for (const s of [a, b]) assert.ok((await ask(s, "task:join", { taskId: id })).ok);
  assert.ok((await ask(b, "dashboard:join", {})).ok);
  b.log.length = 0;
  assert.equal((await patch(id, { isPrivate: true }, ann)).status, 200);
  await until("bob is out", () => names(b).includes("dashboard:task_removed"));
  assert.equal(names(b)[0], "task:evicted");
  assert.deepEqual(names(b).filter((n) => n.startsWith("task:")), ["task:evicted"]);
  await stack.publish("note", id, { text: "between us" });
  await until("ann hears it", () => last(a, "task:event_added")?.event.eventType === "note");
  await sleep(100);
  assert.ok(!JSON.stringify(b.log).includes("between us"));
  assert.ok(!names(a).includes("task:evicted"));
  assert.equal((await ask(b, "task:join", { taskId: id })).error.code, "not_found");
  assert.equal((await patch(id, { isPrivate: false }, ann)).status, 200);
  await until("bob may again", async () => (await ask(b, "task:join", { taskId: id })).ok);
});

test("a resync of named tasks answers each, and names those that are not there", async () => {
  const ids = [await stack.createTask(), await stack.createTask()];
  const missing = "f".repeat(24);
  const socket = await stack.connect();
  assert.deepEqual(await ask(socket, "resync_requested", { taskIds: [...ids, missing] }), { ok: true });
  assert.deepEqual(new Set(socket.log.filter((e) => e.name === "task:state").map((e) => e.payload.taskId)), new Set(ids));
  assert.deepEqual(last(socket, "error"), { message: "Not found", code: "not_found", taskId: missing });
  socket.log.length = 0;
  assert.ok((await ask(socket, "dashboard:join", {})).ok);
  socket.log.length = 0;
  assert.deepEqual(await ask(socket, "resync_requested", {}), { ok: true });
  assert.deepEqual(names(socket).sort(), ["dashboard:state", "task:state", "task:state"]);
  assert.equal((await ask(socket, "resync_requested", { taskIds: Array(101).fill(ids[0]) })).error.code, "bad_message");
  assert.equal((await ask(socket, "resync_requested", { taskIds: [7] })).error.code, "bad_message");
});

test("who has left hears no more", async () => {
  const id = await stack.createTask();
  const stays = await stack.connect(), leaves = await stack.connect();
  for (const s of [stays, leaves]) assert.ok((await ask(s, "task:join", { taskId: id })).ok);
  assert.ok((await ask(leaves, "task:leave", { taskId: id })).ok);
  assert.ok((await ask(leaves, "task:leave", { taskId: id })).ok, "leaving twice is harmless");
  leaves.log.length = 0;
  await stack.publish("note", id, { text: "x" });
  await until("who stays hears it", () => names(stays).includes("task:event_added"));
  await sleep(100);
  assert.deepEqual(leaves.log, []);
});

test("joins are limited per person over all their sockets, and refused in words", async () => {
  const token = stack.token("eager", "eager-org");
  const first = await stack.connect({ token }), second = await stack.connect({ token });
  const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => ask(i % 2 ? first : second, "dashboard:join", {})));
  const refused = answers.filter((a) => !a.ok);
  assert.ok(refused.length >= 12 && refused.length <= 14, `${refused.length} refused`);
  assert.deepEqual(refused[0].error, { message: "Too many requests", code: "too_many" });
  second.log.length = 0;
  await until("an error without an acknowledgement", () => {
    second.emit("dashboard:join", {});           // more often than ten times a second
    return names(second).includes("error");
  });
  assert.deepEqual(last(second, "error"), { message: "Too many requests", code: "too_many" });
});

test("a person without an org sees their own tasks live", async () => {
  const token = stack.token("loner", null);
  const socket = await stack.connect({ token });
  assert.ok((await ask(socket, "dashboard:join", {})).ok);
  const id = await stack.createTask({ description: "alone" }, { token });
  await until("it appears", () => names(socket).includes("dashboard:task_list_updated"));
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
});

test("a creator who changed orgs still follows their task, strangers do not learn of it", async () => {
  const before_ = stack.token("mover", "old-org"), after_ = stack.token("mover", "new-org");
  const id = await stack.createTask({ description: "from before" }, { token: before_ });
  const stranger = await stack.connect({ token: stack.token("other", "new-org") });
  assert.equal((await ask(stranger, "task:join", { taskId: id })).error.code, "not_found");
  const mover = await stack.connect({ token: after_ });
  assert.ok((await ask(mover, "task:join", { taskId: id })).ok);
  const mate = await stack.connect({ token: stack.token("mate", "old-org") });
  assert.ok((await ask(mate, "task:join", { taskId: id })).ok);
  await stack.publish("note", id, { text: "x" });
  await until("both hear", () => [mover, mate].every((s) => names(s).includes("task:event_added")));
  assert.equal((await ask(stranger, "task:join", { taskId: id })).error.code, "not_found");
});
