// quota.test.mjs - how many connections a person has over all replicas (CONNECTIONS_PER_USER): no
// more than that for longer than moments, and never fewer for longer than a crash is noticed.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, sleep, until } from "../harness.mjs";

const MAX = 3;

let stack;
before(async () => { stack = await Stack.start({ gateways: 3, gatewayEnv: { CONNECTIONS_PER_USER: String(MAX) } }); });
after(async () => { await stack.stop(); });

let people = 0;
const person = () => stack.token(`quota-${++people}`, "acme");
const urls = () => stack.gateways.map((g) => g.url);
const enter = (token, base, options = {}) => stack.connect({ token, base, reconnection: false, ...options });

async function code(token, base, options) {
  const socket = await enter(token, base, options).then((s) => s, (e) => ({ code: e.data?.code ?? e.message }));
  if (!socket.code) socket.disconnect();
  return socket.code ?? "in";
}

const placeIsFree = (token, base, ms = 15_000) => until("there is a place", async () => (await code(token, base)) === "in", { ms, every: 100 });

test("the limit holds over all replicas, and a place that is given back is free", async () => {
  const token = person();
  const sockets = await Promise.all(urls().map((base, i) => enter(token, base, { transports: [i % 2 ? "polling" : "websocket"] })));
  for (const base of urls()) assert.equal(await code(token, base), "too_many_connections");
  assert.equal(await code(person(), urls()[0]), "in", "somebody else is no part of it");
  assert.equal(await code(stack.token(`quota-${people - 1}`, "other"), urls()[0]), "in", "nor is the same sub of another org");
  assert.ok(sockets.every((s) => s.connected));
  sockets[1].disconnect();
  await placeIsFree(token, urls()[2]);
  const fourth = await until("it stays free", () => enter(token, urls()[0]).catch(() => null));
  assert.equal(await code(token, urls()[1]), "too_many_connections");
  fourth.disconnect();
});

test("many at once: no more than the limit come in", async () => {
  const token = person();
  const tried = await Promise.all(Array.from({ length: 24 }, (_, i) => enter(token, urls()[i % 3]).then((s) => s, (e) => e)));
  const in_ = tried.filter((s) => s.connected);
  assert.ok(in_.length >= 1 && in_.length <= MAX, `${in_.length} came in`);
  for (const e of tried.filter((s) => !s.connected)) assert.equal(e.data?.code, "too_many_connections");
  let all = in_.length;
  while (all < MAX) all += await enter(token, urls()[all % 3]).then(() => 1, () => 0);
  assert.equal(await code(token, urls()[0]), "too_many_connections");
});

test("a crashed gateway's places are free when its heartbeat is over", async (t) => {
  const token = person(), gateway = await stack.startGateway();
  for (let i = 0; i < MAX; i++) await enter(token, gateway.url);
  assert.equal(await code(token, urls()[0]), "too_many_connections");
  await gateway.kill9();
  stack.gateways.pop();
  const begun = Date.now();
  await placeIsFree(token, urls()[0], 30_000);
  t.diagnostic(`free after ${Date.now() - begun} ms`);
});

test("who comes back is let in though their predecessor is still counted; who only says so is not", async () => {
  const token = person(), gateway = await stack.startGateway();
  const taskId = await stack.createTask({ description: "a" }, { token });
  const sockets = [];
  for (let i = 0; i < MAX; i++) {
    sockets.push(await enter(token, gateway.url));
    assert.ok((await ask(sockets[i], "task:join", { taskId })).ok);
  }
  await gateway.kill9();
  stack.gateways.pop();
  await until("all are away", () => sockets.every((s) => !s.connected));
  assert.equal(await code(token, urls()[0]), "too_many_connections");
  const back = await Promise.all(sockets.map((s, i) => {
    s.io.uri = urls()[i % 3];
    const result = new Promise((done) => { s.once("connect", () => done("in")); s.once("connect_error", (e) => done(e.data?.code)); });
    s.connect();
    return result;
  }));
  assert.deepEqual(back, Array(MAX).fill("in"));
  assert.ok(sockets.every((s) => s.recovered));
  const liar = await stack.connect({ token, base: urls()[1], reconnection: false, auth: { token, pid: "A".repeat(20), offset: "1-1.0" } }).then(() => "in", (e) => e.data?.code);
  assert.equal(liar, "too_many_connections");
  await sleep(14_000);                         // they are counted again
  assert.ok(sockets.every((s) => s.connected), "one that replaced its predecessor was taken for one too many");
  assert.equal(await code(token, urls()[2]), "too_many_connections");
});

test("a Redis that lost its memory is told the numbers anew", async () => {
  const token = person();
  for (const base of urls()) await enter(token, base);
  assert.equal(await code(token, urls()[0]), "too_many_connections");
  await stack.redisCall("FLUSHALL");
  await stack.redis.kill9();
  await stack.startRedis();
  for (const g of stack.gateways) await stack.ready(g, g.url);
  await until("the limit holds again", async () => (await code(token, urls()[0])) === "too_many_connections");
});

test("without Redis each replica counts its own", async () => {
  const token = person();
  await stack.redis.kill9();
  try {
    await until("all have noticed", async () => (await Promise.all(urls().map((u) => fetch(`${u}/api/health/ready`).then((r) => r.status)))).every((s) => s === 503));
    for (let i = 0; i < MAX; i++) await enter(token, urls()[0]);
    assert.equal(await code(token, urls()[0]), "too_many_connections");
    assert.equal(await code(token, urls()[1]), "in");
  } finally {
    await stack.startRedis();
    for (const g of stack.gateways) await stack.ready(g, g.url);
  }
});
