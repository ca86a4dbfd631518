// revoke.test.mjs - what is revoked, and what turns private, opens nothing any more: on every
// replica, within a bound, after restarts and without Redis (SPEC A1, A2).
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Stack, ask, sleep, until } from "../harness.mjs";
import { openStream } from "./reader.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 3 }); });
after(async () => { await stack.stop(); });

/** A bound that a loaded machine keeps; what was measured is printed. */
const SOON_MS = 5_000, POLL_MS = 15_000;

let people = 0;
const person = () => `p${++people}`;
const names = (socket) => socket.log.map((e) => e.name);
const urls = () => stack.gateways.map((g) => g.url);
const admin = () => stack.token("op", "ops", { roles: ["admin"] });
const hash = (token) => createHash("sha256").update(token.split(".").slice(0, 2).join(".")).digest("hex");
const issuedBefore = () => new Date(Date.now() + 1000).toISOString();

async function revoke(body) {
  const answer = await stack.call("POST", "/api/admin/revocations", { base: stack.taskdUrl, token: admin(), body });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body.id;
}

async function restore(id) {
  const { status } = await stack.call("DELETE", `/api/admin/revocations/${encodeURIComponent(id)}`, { base: stack.taskdUrl, token: admin() });
  assert.equal(status, 204);
}

/** A client on each replica, over websocket and polling in turn; `ended` says how and when it ended. */
async function everywhere(token, options = {}) {
  return Promise.all(urls().map(async (base, i) => {
    const socket = await stack.connect({ token, base, transports: [i % 2 ? "polling" : "websocket"], ...options });
    socket.ended = new Promise((done) => socket.once("disconnect", (reason) => done({ reason, at: Date.now() })));
    return socket;
  }));
}

async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`not within ${ms} ms: ${what}`)), ms); });
  try { return await Promise.race([promise, late]); } finally { clearTimeout(timer); }
}

async function refusedEverywhere(token, code = "revoked") {
  for (const base of urls()) {
    const error = await stack.connect({ token, base, reconnection: false }).then(() => null, (e) => e);
    assert.equal(error?.data?.code, code, base);
    const { status, body } = await stack.call("GET", "/api/config", { token, base });
    assert.deepEqual([status, body.code], [401, code], base);
    assert.deepEqual((await stack.call("GET", "/api/tasks", { token, base })).body.code, code, base);
  }
}

for (const [kind, make] of [
  ["person", (sub, jti, token) => ({ sub, issuedBefore: issuedBefore() })],
  ["jti", (sub, jti) => ({ jti })],
  ["fingerprint", (sub, jti, token) => ({ fingerprint: hash(token) })],
]) {
  test(`a revoked ${kind} is off every replica, and comes into none`, async (t) => {
    const sub = person(), jti = `jti-${sub}`;
    const token = stack.token(sub, "acme", { jti }), other = stack.token(person(), "acme");
    const sockets = await everywhere(token), others = await everywhere(other);
    const streams = await Promise.all(urls().map((base) => openStream(base, "/api/dashboard/stream", { token })));
    const over = streams.map((s) => s.ended.then(() => Date.now()));
    assert.ok(streams.every((s) => s.status === 200));
    const begun = Date.now();
    const id = await revoke(make(sub, jti, token));
    const ends = await within(SOON_MS, "all are off", Promise.all(sockets.map((s) => s.ended)));
    for (const { reason } of ends) assert.equal(reason, "io server disconnect");
    const closed = await within(SOON_MS, "all streams are off", Promise.all(over));
    t.diagnostic(`off after ${ends.map((e) => e.at - begun).join(", ")} ms; streams after ${closed.map((at) => at - begun).join(", ")} ms`);
    assert.ok(sockets.every((s) => !s.active), "a stock client comes back by itself");
    await refusedEverywhere(token);
    assert.ok(others.every((s) => s.connected), "somebody else was hit");
    await restore(id);
    await until("the token is good again", () => Promise.all(urls().map((base) => stack.connect({ token, base, reconnection: false }).then(() => true, () => false))).then((all) => all.every(Boolean)));
  });
}

test("a newer token of a revoked person opens all again, and a refreshed socket is spared", async () => {
  const sub = person(), at = Math.floor(Date.now() / 1000);
  const old = stack.token(sub, "acme", { iat: at - 100 }), fresh = stack.token(sub, "acme", { iat: at - 10 });
  const [stale, refreshed] = [await stack.connect({ token: old }), await stack.connect({ token: old })];
  assert.ok((await ask(refreshed, "auth:refresh", { token: fresh })).ok);
  const over = new Promise((done) => stale.once("disconnect", done));
  await revoke({ sub, issuedBefore: new Date((at - 50) * 1000).toISOString() });
  assert.equal(await within(SOON_MS, "the old one is off", over), "io server disconnect");
  assert.equal((await ask(refreshed, "auth:refresh", { token: old })).error.code, "revoked");
  assert.ok(refreshed.connected);
  await stack.connect({ token: fresh });
});

test("what was revoked cannot be gone on with on another replica", async () => {
  const sub = person(), token = stack.token(sub, "acme");
  const id = await stack.createTask({ description: "theirs" }, { token });
  const socket = await stack.connect({ token, base: urls()[0] });
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  socket.io.reconnection(false);
  socket.io.engine.close();
  await until("the connection is gone", () => !socket.connected);
  await revoke({ sub, issuedBefore: issuedBefore() });
  socket.log.length = 0;
  socket.io.uri = urls()[1];
  const error = await new Promise((done, fail) => {
    socket.once("connect_error", done);
    socket.once("connect", () => fail(new Error("let in")));
    socket.connect();
  });
  assert.equal(error.data.code, "revoked");
  assert.deepEqual(socket.log, []);
});

test("a session that was ended by a revocation leaves nothing to go on with", async () => {
  const sub = person(), at = Math.floor(Date.now() / 1000), token = stack.token(sub, "acme", { iat: at - 100 });
  const id = await stack.createTask({ description: "theirs" }, { token });
  const socket = await stack.connect({ token, base: urls()[0] });
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  const over = new Promise((done) => socket.once("disconnect", done));
  await revoke({ sub, issuedBefore: new Date((at - 50) * 1000).toISOString() });
  await within(SOON_MS, "off", over);
  socket.auth = { token: stack.token(sub, "acme") };
  socket.io.uri = urls()[1];
  const back = new Promise((done) => socket.once("connect", done));
  socket.connect();
  await back;
  assert.equal(socket.recovered, false);
});

test("a replica that begins later knows what was revoked before it", async () => {
  const sub = person(), token = stack.token(sub, "acme");
  await revoke({ sub, issuedBefore: issuedBefore() });
  const gateway = await stack.startGateway();
  await refusedEverywhere(token);
  stack.gateways.pop();
  await gateway.stop();
});

test("without taskd a replica is not ready, for it does not know; one that knows goes on", async () => {
  const sub = person(), token = stack.token(sub, "acme"), good = stack.token(person(), "acme");
  await revoke({ sub, issuedBefore: issuedBefore() });
  await until("all know", async () => (await Promise.all(urls().map((base) => stack.call("GET", "/api/config", { token, base })))).every((a) => a.status === 401));
  await stack.taskd.kill9();
  try {
    for (const base of urls()) {
      assert.equal((await stack.call("GET", "/api/config", { token, base })).body.code, "revoked");
      await stack.connect({ token: good, base });
    }
    const starting = stack.startGateway();
    starting.catch(() => {});
    await until("it listens", () => stack.gateways[3] && fetch(`${stack.gateways[3].url}/api/health/live`).then((r) => r.ok, () => false));
    const [, , , late] = stack.gateways;
    const ready = await fetch(`${late.url}/api/health/ready`);
    assert.equal(ready.status, 503);
    assert.ok((await ready.json()).reasons.some((r) => r.includes("not known yet")));
    const error = await stack.connect({ token: good, base: late.url, reconnection: false }).then(() => null, (e) => e);
    assert.ok(error, "it lets people in without knowing");
    await stack.startTaskd();
    await starting;
    await refusedEverywhere(token);
    stack.gateways.pop();
    await late.stop();
  } finally {
    if (!stack.taskd.isRunning) await stack.startTaskd();
  }
});

test("while Redis is away a revocation is heard of by asking", async (t) => {
  const jti = `jti-${person()}`;
  const token = stack.token("away", "acme", { jti }), good = stack.token(person(), "acme");
  const sockets = await everywhere(token), others = await everywhere(good);
  await stack.redis.kill9();
  try {
    await until("all have noticed", async () => (await Promise.all(urls().map((u) => fetch(`${u}/api/health/ready`).then((r) => r.status)))).every((s) => s === 503));
    const begun = Date.now();
    await revoke({ jti });
    const ends = await within(POLL_MS, "all are off", Promise.all(sockets.map((s) => s.ended)));
    t.diagnostic(`off after ${ends.map((e) => e.at - begun).join(", ")} ms without Redis`);
    assert.ok(others.every((s) => s.connected));
  } finally {
    await stack.startRedis();
    for (const g of stack.gateways) await stack.ready(g, g.url);
  }
  const again = stack.token(person(), "acme");
  const after = await everywhere(again);
  await revoke({ fingerprint: hash(again) });
  await within(SOON_MS, "news comes again", Promise.all(after.map((s) => s.ended)));
});

test("a task that turns private is nobody else's on any replica at once, nor after coming back", async (t) => {
  const org = `private-${person()}`, ann = stack.token("ann", org), bob = stack.token("bob", org);
  const id = await stack.createTask({ description: "soon mine alone" }, { token: ann });
  const mine = await everywhere(ann), theirs = await everywhere(bob);
  for (const s of [...mine, ...theirs]) assert.ok((await ask(s, "task:join", { taskId: id })).ok);
  const [away] = [await stack.connect({ token: bob, base: urls()[0] })];
  assert.ok((await ask(away, "task:join", { taskId: id })).ok);
  away.io.reconnection(false);
  away.io.engine.close();
  await until("one is away", () => !away.connected);
  const evictions = theirs.map((s) => new Promise((done) => s.once("task:evicted", () => done(Date.now()))));
  const streams = await Promise.all(urls().map((base) => openStream(base, `/api/tasks/${id}/stream`, { token: bob })));
  assert.ok(streams.every((s) => s.status === 200));
  const etag = (await stack.call("GET", `/api/tasks/${id}`, { token: ann })).headers.get("etag");
  const begun = Date.now();
  const answer = await stack.call("PATCH", `/api/tasks/${id}`, { token: ann, body: { isPrivate: true }, headers: { "If-Match": etag } });
  assert.equal(answer.status, 200);
  const ends = await within(SOON_MS, "all are out", Promise.all(evictions));
  t.diagnostic(`evicted after ${ends.map((at) => at - begun).join(", ")} ms`);
  await within(SOON_MS, "all streams are out", Promise.all(streams.map((s) => s.ended)));
  for (const s of streams) assert.equal(s.events.at(-1).name, "task:evicted");
  await stack.publish("note", id, { text: "between us" });
  for (const s of mine) await until("the creator hears it", () => JSON.stringify(s.log).includes("between us"));
  for (const s of theirs) {
    assert.equal((await ask(s, "task:join", { taskId: id })).error.code, "not_found");
    assert.deepEqual((await ask(s, "resync_requested", { taskIds: [id] })).ok, true);
    assert.equal(s.log.findLast((e) => e.name === "error").payload.code, "not_found");
  }
  away.log.length = 0;
  away.io.uri = urls()[2];
  const back = new Promise((done) => away.once("connect", done));
  away.connect();
  await back;
  await until("it is told", () => !away.recovered || names(away).includes("task:evicted"));
  await sleep(200);
  assert.ok(!JSON.stringify([...[...theirs, away].map((s) => s.log), ...streams.map((s) => s.events)]).includes("between us"), "somebody heard what is private");
  assert.ok(!names(away).includes("task:state"));
});
