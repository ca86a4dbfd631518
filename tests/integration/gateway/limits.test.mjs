// limits.test.mjs - how fast, how many, and in what form (SPEC A3, A4): joins, what is malformed,
// connections of an address, and what a person has read.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, until } from "../harness.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2 }); });
after(async () => { await stack.stop(); });

const names = (socket) => socket.log.map((e) => e.name);
const errors = (socket) => socket.log.filter((e) => e.name === "error").map((e) => e.payload);
const refused = (answers, code) => answers.filter((a) => !a.ok && a.error.code === code).length;
const NONE = "65f0c0ffee65f0c0ffee65f0";

let people = 0;
const person = () => stack.token(`limits-${++people}`, `org-${people}`);

test("ten joins a second for a person on a replica: tasks, dashboards and resyncs alike", async () => {
  const token = person();
  const id = await stack.createTask({ description: "a" }, { token });
  const [a, b] = [await stack.connect({ token }), await stack.connect({ token })];
  const elsewhere = await stack.connect({ token, base: stack.gateways[1].url });
  const asks = Array.from({ length: 30 }, (_, i) => {
    const s = i % 2 ? a : b;
    return [() => ask(s, "task:join", { taskId: id }), () => ask(s, "dashboard:join", {}), () => ask(s, "resync_requested", { taskIds: Array(100).fill(id) })][i % 3]();
  });
  const answers = await Promise.all(asks);
  const out = refused(answers, "too_many");
  assert.ok(out >= 15 && out <= 20, `${out} of 30 were refused`);   // ten, and what the time added
  assert.deepEqual(answers.find((x) => !x.ok).error, { message: "Too many requests", code: "too_many" });
  assert.ok((await ask(elsewhere, "task:join", { taskId: id })).ok, "another replica counts for itself");
  assert.ok((await ask(a, "task:leave", { taskId: id })).ok, "leaving is free");
  a.log.length = 0;
  for (let i = 0; i < 20; i++) a.emit("dashboard:join", {});
  await until("errors without acknowledgement", () => errors(a).length > 0);
  assert.deepEqual(errors(a)[0], { message: "Too many requests", code: "too_many" });
  await until("the bucket fills again", async () => (await ask(a, "task:join", { taskId: id })).ok);
});

const bad_id = { message: "taskId must be a non-empty string", code: "bad_task_id" };
const bad_message = { message: "Invalid message format", code: "bad_message" };
const MALFORMED = [
  ["task:join", [{}], bad_id], ["task:join", [{ taskId: "" }], bad_id], ["task:join", [{ taskId: 7 }], bad_id],
  ["task:join", [{ taskId: null }], bad_id], ["task:join", [{ taskId: [NONE] }], bad_id],
  ["task:join", [], bad_message], ["task:join", [NONE], bad_message], ["task:join", [null], bad_message], ["task:join", [[{ taskId: NONE }]], bad_message],
  ["task:join", [{ taskId: "\u0000" }], bad_message],
  ["task:leave", [{}], bad_id], ["task:leave", [[]], bad_message], ["task:leave", [], bad_message],
  ["dashboard:join", ["x"], bad_message], ["dashboard:join", [7], bad_message], ["dashboard:leave", [null], bad_message],
  ["resync_requested", [{ taskIds: "all" }], bad_message], ["resync_requested", [{ taskIds: [""] }], bad_message],
  ["resync_requested", [{ taskIds: Array(101).fill(NONE) }], bad_message], ["resync_requested", [[NONE]], bad_message],
  ["notification:read", [], bad_message], ["notification:read", [{}], bad_message], ["notification:read", [{ ids: [] }], bad_message],
  ["notification:read", [{ ids: "a" }], bad_message], ["notification:read", [{ ids: [7] }], bad_message], ["notification:read", [{ ids: [""] }], bad_message],
  ["notification:read", [{ ids: Array(201).fill("a") }], bad_message], ["notification:read", [{ ids: ["x".repeat(129)] }], bad_message],
  ["auth:refresh", [], bad_message], ["auth:refresh", [{}], bad_message], ["auth:refresh", [{ token: 7 }], bad_message],
  ["no:such:event", [{}], { message: "Unknown event", code: "unknown_event" }],
  ["task:join", [{ taskId: NONE, blob: Buffer.from("binary") }], bad_message],
];

test("what is malformed is answered, by an acknowledgement or an event, and harms nobody", async () => {
  for (const [name, args, error] of MALFORMED) {
    const socket = await stack.connect({ token: person() });         // a bucket of joins for each
    const what = `${name} ${JSON.stringify(args).slice(0, 80)}`;
    assert.deepEqual(await socket.timeout(10_000).emitWithAck(name, ...args), { ok: false, error }, what);
    assert.deepEqual(socket.log, [], what);
    socket.emit(name, ...args);
    await until(`an error to ${what}`, () => errors(socket).length > 0);
    assert.deepEqual(socket.log.map((e) => [e.name, e.payload]), [["error", error]], what);
    assert.ok(socket.connected, what);
    socket.disconnect();
  }
});

test("unknown fields are ignored, and an id that cannot be is not there", async () => {
  const token = person(), id = await stack.createTask({ description: "a" }, { token });
  const socket = await stack.connect({ token });
  assert.deepEqual(await ask(socket, "task:join", { taskId: id, colour: "blue", deep: [{ x: null }] }), { ok: true });
  assert.deepEqual(await ask(socket, "dashboard:join", { taskId: 7 }), { ok: true });
  for (const taskId of ["x", "../../secret", `${NONE}0`, NONE.toUpperCase(), "{$gt:1}", "x".repeat(10_000)]) {
    assert.equal((await ask(socket, "task:join", { taskId })).error.code, "not_found", taskId.slice(0, 30));
  }
});

test("a client that floods is cut off, others are not", async () => {
  const flooder = await stack.connect({ token: person(), reconnection: false }), other = await stack.connect({ token: person() });
  const gone = new Promise((done) => flooder.once("disconnect", done));
  for (let i = 0; i < 300; i++) flooder.emit("dashboard:leave", {});
  assert.notEqual(await gone, "io client disconnect");
  assert.deepEqual(await ask(other, "dashboard:join", {}), { ok: true });
});

test("so many clients from an address, and no more", async () => {
  const gateway = await stack.startGateway({ CONNECTIONS_PER_ADDRESS: "3" });
  const connect = (transports) => stack.connect({ base: gateway.url, transports, reconnection: false });
  const in_ = [await connect(["websocket"]), await connect(["polling"]), await connect(["websocket"])];
  for (const transports of [["websocket"], ["polling"]]) await assert.rejects(connect(transports), /websocket error|xhr poll error/);
  const answer = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`);
  assert.deepEqual([answer.status, await answer.json()], [403, { code: 4, message: "Too many connections" }]);
  in_[0].disconnect();
  await until("there is a place", () => connect(["websocket"]).then(() => true, () => false));
  stack.gateways.pop();
  for (const s of in_) s.disconnect();
  await gateway.stop();
});

test("what a person has read over a socket is read when the acknowledgement comes", async () => {
  const token = person(), other = person();
  const list = async (of = token) => (await stack.call("GET", "/api/notifications", { token: of })).body.notifications;
  const socket = await stack.connect({ token }), stranger = await stack.connect({ token: other });
  const ids = [];
  for (const description of ["a", "b", "c"]) {
    const id = await stack.createTask({ description }, { token });
    await stack.publish("failed", id, { errorMessage: "it broke" });
  }
  await until("all are told", () => names(socket).filter((n) => n === "user:notification").length === 3);
  for (const e of socket.log.filter((x) => x.name === "user:notification")) ids.push(e.payload.id);
  await until("all are kept", async () => (await list()).length === 3);
  assert.deepEqual(await ask(stranger, "notification:read", { ids }), { ok: true });
  assert.equal((await list()).length, 3, "somebody else has read them");
  assert.deepEqual(await ask(socket, "notification:read", { ids: ids.slice(0, 2) }), { ok: true });
  assert.deepEqual((await list()).map((n) => n.id), [ids[2]]);
  assert.deepEqual(await ask(socket, "notification:read", { ids: [...ids, "no such thing"] }), { ok: true });
  assert.deepEqual(await list(), []);
  assert.deepEqual(await ask(socket, "notification:read", { ids }), { ok: true }, "twice is harmless");
  const more = await stack.createTask({ description: "d" }, { token });
  await stack.publish("failed", more, { errorMessage: "it broke" });
  await until("one more", async () => (await list()).length === 1);
  socket.emit("notification:read", { ids: (await list()).map((n) => n.id) });
  socket.disconnect();
  await until("it is done though its socket has gone", async () => (await list()).length === 0);
});

test("while taskd is away reading is refused, and the socket lives", async () => {
  const socket = await stack.connect({ token: person() });
  await stack.taskd.kill9();
  try {
    const { ok, error } = await ask(socket, "notification:read", { ids: ["a"] });
    assert.deepEqual([ok, error?.code], [false, "unavailable"]);
    assert.ok(socket.connected);
  } finally {
    await stack.startTaskd();
  }
  await until("it is back", async () => (await ask(socket, "notification:read", { ids: ["a"] })).ok);
});
