// presence.test.mjs - who looks at a task (SPEC E task:presence), over three gateways: people
// come and go, gateways and Redis are killed, a task turns private, two thousand look at one.
//
// How long each change took to be seen everywhere is printed. PRESENCE_VIEWERS=5000 sets the size
// of the crowd.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, freePort, sleep, until } from "../harness.mjs";
import { Bare, inTurns } from "./bare.mjs";

const VIEWERS = Number(process.env.PRESENCE_VIEWERS || (process.env.TASKWIRE_SANITIZED ? 500 : 2000));

let stack;
before(async () => {
  stack = await Stack.start({ gateways: 0 });
  for (let i = 0; i < 3; i++) await startGateway();
});
after(async () => { await stack.stop(); });

async function startGateway() {
  const metrics = await freePort();
  const gateway = await stack.startGateway({ METRICS_PORT: String(metrics) });
  gateway.metrics = `http://127.0.0.1:${metrics}/metrics`;
  return gateway;
}

async function metric(gateway, name) {
  const text = await (await fetch(gateway.metrics)).text();
  return text.split("\n").filter((l) => l.startsWith(`${name} `) || l.startsWith(`${name}{`)).reduce((sum, l) => sum + Number(l.split(" ").at(-1)), 0);
}

async function viewer(sub, gateway, id, options = {}) {
  const socket = await stack.connect({ token: stack.token(sub), base: stack.gateways[gateway].url, ...options });
  socket.on("connect", () => { if (!socket.recovered) socket.emit("task:join", { taskId: id }); });
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  return socket;
}

const shows = (socket, id) => socket.presence.filter((p) => p.taskId === id).at(-1);
const view = (p) => p && `${p.count}: ${p.viewers.map((v) => v.userId).join(" ")}`;

/** All of these are told exactly this; prints how long that took. */
async function agree(t, what, sockets, id, wanted) {
  const began = Date.now();
  await until(`${what}: ${wanted}; shown: ${sockets.map((s) => view(shows(s, id))).join(" | ")}`,
    () => sockets.every((s) => view(shows(s, id)) === wanted), { ms: 30_000 });
  t.diagnostic(`${what}: ${Date.now() - began} ms`);
}

test("joins and leaves are seen on every gateway, a person with several tabs counts once", async (t) => {
  const id = await stack.createTask();
  const ann = await viewer("ann", 0, id);
  await agree(t, "ann alone", [ann], id, "1: ann");
  const bob = await viewer("bob", 1, id);
  await agree(t, "bob came on another gateway", [ann, bob], id, "2: ann bob");
  const tab = await viewer("ann", 2, id), cid = await viewer("cid", 2, id);
  const all = [ann, bob, tab, cid];
  await agree(t, "ann's second tab and cid on the third", all, id, "3: ann bob cid");
  assert.deepEqual(shows(ann, id).viewers[0], { userId: "ann", name: "ANN" });
  assert.ok(!("seq" in shows(ann, id)));
  assert.deepEqual(Object.keys(shows(ann, id)).sort(), ["count", "taskId", "viewers"]);
  assert.ok((await ask(bob, "task:leave", { taskId: id })).ok);
  await agree(t, "bob left", [ann, tab, cid], id, "2: ann cid");
  ann.disconnect();
  await sleep(1500);                           // the other tab is still there
  assert.equal(view(shows(cid, id)), "2: ann cid");
  tab.disconnect();
  await agree(t, "ann closed both", [cid], id, "1: cid");
  const heard = bob.presence.length;
  await viewer("dan", 0, id);
  await agree(t, "dan came", [cid], id, "2: cid dan");
  assert.equal(bob.presence.length, heard, "who has left hears no more");
});

test("who comes late is told, and who joins twice counts once", async (t) => {
  const id = await stack.createTask();
  const ann = await viewer("ann", 0, id);
  await agree(t, "ann", [ann], id, "1: ann");
  await sleep(1200);
  const again = ann.presence.length;
  assert.ok((await ask(ann, "task:join", { taskId: id })).ok);
  const late = await viewer("late", 0, id);
  await agree(t, "late", [ann, late], id, "2: ann late");
  assert.ok((await ask(ann, "task:leave", { taskId: id })).ok);
  await agree(t, "joined twice, left once", [late], id, "1: late");
  assert.ok(ann.presence.length > again);
  const tab = await viewer("late", 0, id);     // nothing changes but that there is somebody new to tell
  await agree(t, "the second tab", [tab], id, "1: late");
});

test("a task that turns private is told to its creator alone, and nobody else is named", async (t) => {
  const token = stack.token("ann");
  const id = await stack.createTask({ description: "soon private" }, { token });
  const ann = await viewer("ann", 0, id), bob = await viewer("bob", 1, id);
  await agree(t, "both", [ann, bob], id, "2: ann bob");
  const { headers } = await stack.call("GET", `/api/tasks/${id}`, { token });
  const heard = bob.presence.length;
  assert.equal((await stack.call("PATCH", `/api/tasks/${id}`, { token, body: { isPrivate: true }, headers: { "If-Match": headers.get("etag") } })).status, 200);
  await agree(t, "bob was evicted", [ann], id, "1: ann");
  const tab = await viewer("ann", 1, id);
  await agree(t, "ann on bob's gateway", [ann, tab], id, "1: ann");
  assert.equal(bob.presence.length, heard, "who was evicted hears no more");
});

test("kill -9 of a gateway: its viewers are gone", async (t) => {
  const id = await stack.createTask();
  const doomed = await startGateway();
  const ann = await viewer("ann", 0, id), bob = await viewer("bob", 1, id);
  const cid = await viewer("cid", stack.gateways.indexOf(doomed), id, { reconnection: false });
  await agree(t, "three on three", [ann, bob, cid], id, "3: ann bob cid");
  stack.gateways.splice(stack.gateways.indexOf(doomed), 1);
  await doomed.kill9();
  await agree(t, "killed", [ann, bob], id, "2: ann bob");
});

test("a gateway that hung is forgotten, and back with its viewers when it goes on", async (t) => {
  const id = await stack.createTask();
  const ann = await viewer("ann", 0, id), bob = await viewer("bob", 1, id);
  await agree(t, "both", [ann, bob], id, "2: ann bob");
  stack.gateways[1].signal("SIGSTOP");
  try {
    await agree(t, "stopped", [ann], id, "1: ann");
  } finally {
    stack.gateways[1].signal("SIGCONT");
  }
  await agree(t, "gone on", [ann, bob], id, "2: ann bob");
});

test("a Redis that lost everything is told again", async (t) => {
  const id = await stack.createTask();
  const ann = await viewer("ann", 0, id), bob = await viewer("bob", 1, id);
  await agree(t, "both", [ann, bob], id, "2: ann bob");
  await stack.redis.kill9();
  const cid = await stack.connect({ token: stack.token("cid"), base: stack.gateways[2].url, transports: ["websocket"] }).catch(() => null);
  bob.disconnect();
  await stack.startRedis();
  await stack.redisCall("FLUSHALL");
  for (const g of stack.gateways) await stack.ready(g, g.url);
  const third = cid ?? await stack.connect({ token: stack.token("cid"), base: stack.gateways[2].url });
  await until("cid joins", async () => (await ask(third, "task:join", { taskId: id }).catch(() => ({}))).ok);
  await agree(t, "bob went while Redis was away, cid came after", [ann, third], id, "2: ann cid");
  assert.ok(Number(await stack.redisCall("TTL", `tasks:presence:${id}`)) > 0);
  assert.ok(Number(await stack.redisCall("TTL", "tasks:presence")) > 0);
});

/** A viewer of the crowd, who counts what it is told. */
async function crowdMember(sub, gateway, id) {
  const member = { told: 0, last: null };
  member.client = await Bare.connect(stack.gateways[gateway].url, stack.token(sub), (name, payload) => {
    if (name !== "task:presence") return;
    member.told++;
    member.last = payload;
  });
  assert.deepEqual(await member.client.ask("task:join", { taskId: id }), { ok: true });
  return member;
}

test(`${VIEWERS} viewers: one message a second each, and little between the gateways`, { timeout: 170_000 }, async (t) => {
  const id = await stack.createTask();
  const began = Date.now(), members = [];
  const before_ = await Promise.all(stack.gateways.map((g) => metric(g, "taskwire_presence_reports_total")));
  await inTurns(VIEWERS, async (i) => {
    members.push(await crowdMember(`v${i}`, i % 3, id));
    if (i % 10 === 0) members.push(await crowdMember(`v${i}`, (i + 1) % 3, id));   // on two gateways
  });
  const near = (m) => m.last && Math.abs(m.last.count - VIEWERS) <= VIEWERS * 0.05;
  await until(`everybody is told of about ${VIEWERS}; the last: ${view(members.at(-1).last)}`, () => members.every(near), { ms: 60_000 });
  const seconds = (Date.now() - began) / 1000;
  const told = Math.max(...members.map((m) => m.told));
  assert.ok(told <= seconds + 1, `told ${told} times in ${seconds} s`);
  for (const m of members) assert.equal(m.last.viewers.length, 20);
  await until("all are shown the same", () => new Set(members.map((m) => JSON.stringify(m.last))).size === 1, { ms: 30_000 });
  let reports = 0;
  for (const [i, g] of stack.gateways.entries()) reports += await metric(g, "taskwire_presence_reports_total") - before_[i];
  const since = (Date.now() - began) / 1000;
  assert.ok(reports <= 3 * (2 * since + 2), `${reports} reports in ${since} s`);
  const size = (await stack.redisCall("HGETALL", `tasks:presence:${id}`)).length;
  assert.ok(size < 3 * 4096, `${size} bytes in Redis`);
  t.diagnostic(`${members.length} sockets of ${VIEWERS} people in ${seconds} s: told at most ${told} times each, ${reports} reports, ${size} bytes in Redis, counted ${members[0].last.count}`);
  for (const m of members) m.client.cut();
  await until("the hash is empty", async () => (await stack.redisCall("EXISTS", `tasks:presence:${id}`)) === "0", { ms: 30_000 });
});
