// flags.test.mjs - live updates switched off and on while all is running (SPEC F1): for everybody,
// for a share of people, for a kind of room; on every replica, and after a restart.
import test, { after, before, beforeEach } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Stack, ask, sleep, until } from "../harness.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 3 }); });
after(async () => { await stack.stop(); });

/** A bound that a loaded machine keeps; what was measured is printed. */
const SOON_MS = 5_000;

const urls = () => stack.gateways.map((g) => g.url);
const names = (socket) => socket.log.map((e) => e.name);
const last = (socket, name) => socket.log.findLast((e) => e.name === name)?.payload;
const OFF = { message: "This feature is switched off", code: "feature_off" };
const NONE = { FEATURE_WEBSOCKET_ENABLED: null, FEATURE_WEBSOCKET_DASHBOARD: null, FEATURE_WEBSOCKET_TASK_DETAIL: null, FEATURE_WEBSOCKET_ROLLOUT_PERCENT: null };

/** Where a person stands in the roll-out, 0 to 99. */
const place = (sub) => createHash("sha256").update(sub).digest().readUIntBE(0, 3) % 100;
const subs = Array.from({ length: 200 }, (_, i) => `user-${i}`);
const early = subs.find((s) => place(s) < 20), late = subs.find((s) => place(s) >= 60);

async function put(flags) {
  const answer = await stack.call("PUT", "/api/admin/flags", { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }), body: flags });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

const config = (base, token = stack.token()) => stack.call("GET", "/api/config", { base, token }).then((a) => a.body.features);

/** Wait until every replica says this of a person; gives how long it took. */
async function allSay(expected, token) {
  const begun = Date.now();
  await until(`every replica says ${JSON.stringify(expected)}`, async () => {
    const said = await Promise.all(urls().map((base) => config(base, token)));
    return said.every((f) => JSON.stringify(f) === JSON.stringify(expected));
  }, { ms: SOON_MS });
  return Date.now() - begun;
}

const ON = { websocket: true, dashboard: true, taskDetail: true };
const NOTHING = { websocket: false, dashboard: false, taskDetail: false };

beforeEach(async () => {
  await put(NONE);
  await allSay(ON);
});

async function code(options) {
  return stack.connect({ reconnection: false, ...options }).then(() => "in", (e) => e.data?.code ?? e.message);
}

test("switched off for everybody: who is in is told and taken out, and nobody comes in", async (t) => {
  const sockets = await Promise.all(urls().map((base, i) => stack.connect({ base, transports: [i % 2 ? "polling" : "websocket"] })));
  const ends = sockets.map((s) => new Promise((done) => s.once("disconnect", (reason) => done({ reason, at: Date.now() }))));
  const begun = Date.now();
  await put({ FEATURE_WEBSOCKET_ENABLED: false });
  const said = await Promise.all(ends);
  t.diagnostic(`off after ${said.map((e) => e.at - begun).join(", ")} ms`);
  for (const { reason, at } of said) {
    assert.equal(reason, "io server disconnect");
    assert.ok(at - begun < SOON_MS);
  }
  for (const s of sockets) {
    assert.deepEqual(last(s, "error"), OFF);
    assert.equal(s.active, false, "a stock client comes back by itself");
  }
  for (const base of urls()) {
    assert.equal(await code({ base }), "feature_off");
    assert.deepEqual(await config(base), NOTHING);
    assert.equal((await stack.call("GET", "/api/tasks", { base })).status, 200, "fetching works as ever");
  }
  await put({ FEATURE_WEBSOCKET_ENABLED: true });
  await allSay(ON);
  for (const base of urls()) assert.equal(await code({ base }), "in");
});

test("a share of people: the same ones on every replica, and live sockets of the others go", async () => {
  const tokens = Object.fromEntries([early, late].map((sub) => [sub, stack.token(sub)]));
  const stays = await Promise.all(urls().map((base) => stack.connect({ base, token: tokens[early] })));
  const goes = await Promise.all(urls().map((base) => stack.connect({ base, token: tokens[late] })));
  const ends = goes.map((s) => new Promise((done) => s.once("disconnect", done)));
  await put({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 20 });
  for (const reason of await Promise.all(ends)) assert.equal(reason, "io server disconnect");
  await allSay(ON, tokens[early]);
  await allSay(NOTHING, tokens[late]);
  for (const base of urls()) {
    for (const sub of subs.slice(0, 40)) {
      assert.equal((await config(base, stack.token(sub))).websocket, place(sub) < 20, `${sub} at ${place(sub)}`);
    }
    assert.equal(await code({ base, token: tokens[late] }), "feature_off");
    assert.equal(await code({ base, token: tokens[early] }), "in");
  }
  assert.ok(stays.every((s) => s.connected && !names(s).includes("error")));
  await put({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 60 });
  await until("more people are in", async () => (await config(urls()[0], stack.token(subs.find((s) => place(s) >= 20 && place(s) < 60)))).websocket);
  await allSay(NOTHING, tokens[late]);
});

for (const { flag, key, join, event, task } of [
  { flag: "FEATURE_WEBSOCKET_DASHBOARD", key: "dashboard", join: "dashboard:join", event: "dashboard:task_list_updated", task: false },
  { flag: "FEATURE_WEBSOCKET_TASK_DETAIL", key: "taskDetail", join: "task:join", event: "task:event_added", task: true },
]) {
  test(`${flag} off: no ${join}, and who had joined hears no more`, async () => {
    const org = `flags-${key}`, token = stack.token("ann", org);
    const ids = [await stack.createTask({ description: "one" }, { token }), await stack.createTask({ description: "two" }, { token })];
    const [taskId] = ids;
    const sockets = await Promise.all(urls().map((base) => stack.connect({ base, token })));
    for (const s of sockets) {
      assert.ok((await ask(s, "dashboard:join", {})).ok);
      for (const id of ids) assert.ok((await ask(s, "task:join", { taskId: id })).ok);
    }
    await put({ [flag]: false });
    await allSay({ ...ON, [key]: false }, token);
    for (const s of sockets) {
      const told = () => s.log.filter((e) => e.name === "error").map((e) => e.payload);
      await until("it is told", () => told().length === (task ? 2 : 1));
      if (task) assert.deepEqual(new Set(told().map((e) => e.taskId)), new Set(ids));
      else assert.deepEqual(told(), [OFF]);
      assert.deepEqual(await ask(s, join, { taskId }), { ok: false, error: OFF });
      assert.deepEqual(await ask(s, "resync_requested", { taskIds: [taskId] }), { ok: true });
      s.log.length = 0;
    }
    await stack.publish("note", taskId, { text: "x" });
    const other = task ? "dashboard:task_list_updated" : "task:event_added";
    for (const s of sockets) await until("the other kind goes on", () => names(s).includes(other));
    await sleep(100);
    for (const s of sockets) {
      assert.ok(!names(s).includes(event), `${event} was heard`);
      assert.ok(s.connected);
    }
    await put({ [flag]: null });
    await allSay(ON, token);
    for (const s of sockets) assert.deepEqual(await ask(s, join, { taskId }), { ok: true });
  });
}

test("who comes back to a room that was switched off meanwhile is taken out of it", async () => {
  const token = stack.token("ann", "flags-back");
  const taskId = await stack.createTask({ description: "a" }, { token });
  const s = await stack.connect({ token, base: urls()[0] });
  assert.ok((await ask(s, "task:join", { taskId })).ok);
  assert.ok((await ask(s, "dashboard:join", {})).ok);
  s.io.reconnection(false);
  s.io.engine.close();
  await until("it is away", () => !s.connected);
  await put({ FEATURE_WEBSOCKET_DASHBOARD: false });
  await allSay({ ...ON, dashboard: false }, token);
  s.log.length = 0;
  s.io.uri = urls()[1];
  const back = new Promise((done) => s.once("connect", done));
  s.connect();
  await back;
  assert.equal(s.recovered, true);
  await until("it is told", () => names(s).includes("error"));
  assert.deepEqual(last(s, "error"), OFF);
  s.log.length = 0;
  await stack.publish("note", taskId, { text: "x" });
  await until("its task goes on", () => names(s).includes("task:event_added"));
  await sleep(100);
  assert.ok(!names(s).some((n) => n.startsWith("dashboard:")), names(s).join());
});

test("what operators decided holds after a gateway's restart, and where taskd is away", async () => {
  await put({ FEATURE_WEBSOCKET_DASHBOARD: false });
  const gateway = await stack.startGateway();
  assert.deepEqual(await config(gateway.url), { ...ON, dashboard: false });
  await stack.taskd.kill9();
  try {
    assert.deepEqual(await config(gateway.url), { ...ON, dashboard: false });
    const s = await stack.connect({ base: gateway.url });
    assert.deepEqual((await ask(s, "dashboard:join", {})).error, OFF);
  } finally {
    await stack.startTaskd();
  }
  stack.gateways.pop();
  await gateway.stop();
});

test("an override of a flag beats the environment's, either way", async () => {
  const gateway = await stack.startGateway({ FEATURE_WEBSOCKET_TASK_DETAIL: "false", FEATURE_WEBSOCKET_ROLLOUT_PERCENT: "0" });
  const person = stack.token(late);
  assert.deepEqual(await config(gateway.url, person), NOTHING);
  await put({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 100 });
  await until("in", async () => (await config(gateway.url, person)).websocket);
  assert.deepEqual(await config(gateway.url, person), { ...ON, taskDetail: false });
  await put({ FEATURE_WEBSOCKET_TASK_DETAIL: true });
  await until("all", async () => (await config(gateway.url, person)).taskDetail);
  stack.gateways.pop();
  await gateway.stop();
});

test("while Redis is away flags are read by asking", async () => {
  const before_ = await config(urls()[0]);
  assert.deepEqual(before_, ON);
  await stack.redis.kill9();
  try {
    await until("all have noticed", async () => (await Promise.all(urls().map((u) => fetch(`${u}/api/health/ready`).then((r) => r.status)))).every((s) => s === 503));
    await put({ FEATURE_WEBSOCKET_DASHBOARD: false });
    await until("all know", async () => (await Promise.all(urls().map((base) => config(base)))).every((f) => !f.dashboard));
  } finally {
    await stack.startRedis();
    for (const g of stack.gateways) await stack.ready(g, g.url);
  }
});
