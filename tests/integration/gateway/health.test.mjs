// What probes and people are told: true figures of one gateway and of all, and nothing that waits
// for what is away (SPEC R).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, ask, until } from "../harness.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 3 }); });
after(() => stack?.stop());

const health = async (gateway, query = "") => (await fetch(`${gateway.url}/api/health${query}`)).json();
const note = (task) => stack.publish("note", task, { text: "x" });

test("one gateway's figures are what happens there", async () => {
  const [g] = stack.gateways, taskId = await stack.createTask();
  const people = await Promise.all(["ann", "ann", "bob"].map((sub) => stack.connect({ base: g.url, token: stack.token(sub) })));
  for (const p of people) assert.ok((await ask(p, "task:join", { taskId })).ok);
  await until("two people with three sockets are two", async () => (await health(g)).websocket.connectedUsers === 2);
  assert.equal((await health(stack.gateways[1])).websocket.connectedUsers, 0);
  const before = (await health(g)).websocket.totalErrors;
  for (let i = 0; i < 3; i++) assert.equal((await ask(people[0], "task:join", { taskId: "" })).ok, false);
  assert.equal((await health(g)).websocket.totalErrors, before + 3);
  await until("the rate shows the traffic", async () => { await note(taskId); return (await health(g)).websocket.messagesPerSecond > 1; });
  await until("and its end", async () => (await health(g)).websocket.messagesPerSecond === 0);
  for (const p of people) p.disconnect();
  await until("they are gone", async () => (await health(g)).websocket.connectedUsers === 0);
});

test("?cluster=1 adds all replicas up, whoever is asked, and leaves out who has gone", async () => {
  const extra = await stack.startGateway(), taskId = await stack.createTask();
  const people = [];
  for (const [i, g] of stack.gateways.entries()) for (let n = 0; n <= i; n++) people.push(await stack.connect({ base: g.url, token: stack.token(`c${i}-${n}`), reconnection: false }));
  assert.equal((await ask(people[9], "task:join", { taskId: "" })).ok, false);
  for (const g of stack.gateways) {
    const seen = await until("all ten people are there", async () => {
      const h = await health(g, "?cluster=1");
      return h.replicas.length === 4 && h.websocket.connectedUsers === 10 && h.websocket.totalErrors === 4 && h.status === "ok" && h;
    });
    assert.equal(seen.isComplete, true);
    assert.equal(new Set(seen.replicas.map((r) => r.id)).size, 4);
    assert.deepEqual(seen.replicas.map((r) => r.connectedUsers).sort(), [1, 2, 3, 4]);
    for (const r of seen.replicas) assert.ok(r.version && r.state === "ready" && Date.now() - Date.parse(r.at) < 10_000, JSON.stringify(r));
  }
  assert.equal((await health(stack.gateways[0], "?cluster=0")).replicas, undefined);
  stack.gateways.splice(stack.gateways.indexOf(extra), 1);
  await extra.kill9();                         // it cannot say goodbye
  await until("it is gone", async () => (await health(stack.gateways[0], "?cluster=1")).replicas.length === 3, { ms: 30_000 });
  for (const p of people) p.disconnect();
});

test("probes of a gateway whose Redis hangs are answered from what is known", async () => {
  const [g] = stack.gateways;
  await until("all are seen", async () => (await health(g, "?cluster=1")).replicas.length === 3);
  stack.redis.signal("SIGSTOP");
  try {
    const statuses = await Promise.all(Array.from({ length: 50 }, () => fetch(`${g.url}/api/health?cluster=1`).then((r) => r.status)));
    assert.ok(statuses.every((s) => s === 200));
    assert.equal((await fetch(`${g.url}/api/health/live`)).status, 200);
    await until("it is not ready", async () => (await fetch(`${g.url}/api/health/ready`)).status === 503);
    const seen = await until("it says that it does not know", async () => { const h = await health(g, "?cluster=1"); return !h.isComplete && h; });
    assert.equal(seen.status, "degraded");
    assert.equal(seen.dependencies.redis, false);
    const { reasons } = await (await fetch(`${g.url}/api/health/ready`)).json();
    assert.ok(reasons.some((r) => r.startsWith("Redis")), reasons.join());
  } finally {
    stack.redis.signal("SIGCONT");
  }
  await until("it is ready again", async () => (await fetch(`${g.url}/api/health/ready`)).ok, { ms: 30_000 });
});

test("an early drain is not ready, and serves on until its notice is over", async () => {
  const g = await stack.startGateway({ DRAIN_NOTICE_SECONDS: "600" }), taskId = await stack.createTask();
  const before = await stack.connect({ base: g.url, token: stack.token("early") });
  g.signal("SIGTERM");
  await until("it says so", async () => (await fetch(`${g.url}/api/health/ready`)).status === 503);
  assert.deepEqual((await (await fetch(`${g.url}/api/health/ready`)).json()).reasons, ["shutting down"]);
  const late = await stack.connect({ base: g.url, token: stack.token("late") });
  for (const p of [before, late]) assert.ok((await ask(p, "task:join", { taskId })).ok);
  assert.equal((await stack.call("GET", "/api/me", { base: g.url })).status, 200);
  await until("the others see it", async () => (await health(stack.gateways[0], "?cluster=1")).replicas.some((r) => r.state === "draining"));
  stack.gateways.splice(stack.gateways.indexOf(g), 1);
  assert.deepEqual(await g.stop(), { code: 0, signal: null });   // the second SIGTERM: at once
});
