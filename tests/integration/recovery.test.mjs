// recovery.test.mjs - connection-state recovery with the stock client (SPEC P3): what was missed
// comes back once and in order, on whatever replica, and to nobody else.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { Stack, ask, freePort, sleep, until } from "./harness.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2 }); });
after(async () => { await stack.stop(); });

let orgs = 0;
/** An org of its own for each test, so that nobody hears of others. */
const newOrg = () => `recovery-${++orgs}`;

const last = (socket, name) => socket.log.findLast((e) => e.name === name)?.payload;
const of = (socket, name, taskId) => socket.log.filter((e) => e.name === name && e.payload.taskId === taskId).map((e) => e.payload);
const added = (socket, taskId) => of(socket, "task:event_added", taskId).map((e) => e.seq);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function notes(taskId, count, from = 0) {
  for (let i = 0; i < count; i++) await stack.publish("note", taskId, { text: `note ${from + i}` });
}

async function patch(id, body, token) {
  const { headers } = await stack.call("GET", `/api/tasks/${id}`, { token });
  const answer = await stack.call("PATCH", `/api/tasks/${id}`, { token, body, headers: { "If-Match": headers.get("etag") } });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
}

/** Where a task stands, in the store and (from its own point of view) on the way to everybody. */
async function seqReaches(id, seq, token) {
  await until(`${id} is at ${seq}`, async () => (await stack.call("GET", `/api/tasks/${id}`, { token })).body.seq >= seq);
  const admin = { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }) };
  await until("all is published", async () => (await stack.call("GET", "/api/admin/outbox", admin)).body.unpublished === 0);
  await sleep(50);                               // and heard by gateways
}

/** Take the transport away and come back (at `base`) when told to. */
async function drop(socket) {
  socket.io.reconnection(false);
  socket.io.engine.close();
  await until("the connection is gone", () => !socket.connected);
}

async function back(socket, base) {
  if (base) socket.io.uri = base;
  const connected = new Promise((done, fail) => {
    socket.once("connect", done);
    socket.io.once("error", fail);
    socket.once("connect_error", fail);
    setTimeout(() => fail(new Error("not back within 10 s")), 10_000).unref();
  });
  socket.connect();
  await connected;
}

async function joined(options, taskId) {
  const socket = await stack.connect(options);
  if (taskId) assert.deepEqual(await ask(socket, "task:join", { taskId }), { ok: true });
  return socket;
}

for (const transports of [["websocket"], ["polling"]]) {
  test(`what was missed comes back once and in order, over ${transports}`, async () => {
    const token = stack.token("ann", newOrg());
    const id = await stack.createTask({ description: "a" }, { token });
    const other = await stack.createTask({ description: "not joined" }, { token });
    const s = await joined({ token, transports }, id);
    assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
    const { id: sid } = s;
    await notes(id, 2);
    await until("it is live", () => added(s, id).length === 2);

    await drop(s);
    await notes(id, 5);
    await notes(other, 1);
    await seqReaches(id, 8, token);
    await seqReaches(other, 2, token);
    const before = s.log.length;
    await back(s);
    assert.equal(s.recovered, true);
    assert.equal(s.id, sid);
    const missed = s.log.slice(before);
    assert.deepEqual(missed.filter((e) => e.name === "task:event_added").map((e) => e.payload.seq), range(4, 8));
    const rows = (task) => missed.filter((e) => e.name === "dashboard:task_list_updated" && e.payload.taskId === task).map((e) => e.payload.seq);
    assert.deepEqual([rows(id), rows(other)], [range(4, 8), [2]]);
    assert.ok(!missed.some((e) => e.name.endsWith(":state")), "nothing had to be told anew");
    await notes(id, 3);
    await until("its rooms are back", () => added(s, id).length === 10);
    await sleep(100);
    assert.deepEqual(added(s, id), range(2, 11));
  });
}

test("one that has heard nothing yet can come back", async () => {
  const token = stack.token("ann", newOrg());
  const s = await stack.connect({ token });
  await drop(s);
  await back(s);
  assert.equal(s.recovered, true);
  // A notification is a broadcast to a person: one who was away gets it, offset or not.
  await drop(s);
  const id = await stack.createTask({ description: "to be clarified" }, { token });
  await stack.publish("analyzing", id, {});
  await stack.publish("clarification_needed", id, { questions: ["Which door?"] });
  await seqReaches(id, 3, token);
  await back(s);
  assert.equal(s.recovered, true);
  await until("it comes, or has come", () => s.log.length > 0);   // what is stored may yet be published
  assert.deepEqual(s.log.map((e) => [e.name, e.payload.kind]), [["user:notification", "needs_answer"]]);
  await drop(s);
  await back(s);
  assert.equal(s.recovered, true);
  assert.equal(s.log.length, 1, "once");
});

test("an org in which nothing ever happened is no obstacle", async () => {
  const token = stack.token("ann", newOrg());
  const s = await stack.connect({ token });
  assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
  await drop(s);
  const id = await stack.createTask({ description: "the first" }, { token });
  await seqReaches(id, 1, token);
  await back(s);
  assert.equal(s.recovered, true);
  await until("all has come", () => s.log.length >= 4);
  assert.deepEqual(s.log.map((e) => e.name),
    ["dashboard:state", "task:created", "dashboard:task_list_updated", "dashboard:task_count_changed"]);
});

test("a join whose snapshot was lost is made good", async () => {
  const token = stack.token("ann", newOrg());
  const id = await stack.createTask({ description: "a" }, { token });
  const valve = await Valve.open(stack.gateways[0].url);
  const s = await stack.connect({ token, base: valve.url });
  await until("its session is known", () => s.io.engine.readyState === "open");
  valve.holdDown();                              // what the server says does not arrive any more
  s.emit("task:join", { taskId: id });
  s.emit("dashboard:join", {});
  await until("both rooms are written down", async () => {
    const keys = (await stack.redisCall("KEYS", "tasks:session:*")).split("\n").filter(Boolean);
    for (const key of keys) {
      const fields = await stack.redisCall("HKEYS", key);
      if (fields.includes(`t:${id}`) && fields.split("\n").includes("d")) return true;
    }
    return false;
  });
  await sleep(200);                              // both snapshots have left, into nowhere
  assert.equal(s.log.length, 0);
  await notes(id, 2);
  await seqReaches(id, 3, token);
  await valve.close();
  await drop(s).catch(() => {});
  await back(s, stack.gateways[1].url);
  assert.equal(s.recovered, true);
  await until("fresh snapshots came", () => last(s, "task:state") && last(s, "dashboard:state"));
  assert.equal(last(s, "task:state").seq, 3);
  assert.equal(last(s, "dashboard:state").tasks[0].seq, 3);
  await notes(id, 2);
  await until("and then what is live", () => added(s, id).length === 2);
  assert.deepEqual(added(s, id), [4, 5]);
  assert.equal(of(s, "task:state", id).length, 1);
});

test("kill -9 of the gateway: the session goes on at another", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const id = await stack.createTask({ description: "a" }, { token });
  const doomed = await stack.startGateway();
  const s = await joined({ token, base: doomed.url, reconnection: false }, id);
  assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
  const { id: sid } = s;
  await notes(id, 3);
  await until("it is live", () => added(s, id).length === 3);
  await notes(id, 20, 3);
  await doomed.kill9();
  stack.gateways.splice(stack.gateways.indexOf(doomed), 1);
  await notes(id, 5, 23);
  await until("it has noticed", () => !s.connected);
  await seqReaches(id, 29, token);
  await back(s, stack.gateways[1].url);
  assert.equal(s.recovered, true);
  assert.equal(s.id, sid);
  assert.deepEqual(added(s, id), range(2, 29));
  await notes(id, 1);
  await until("live again", () => added(s, id).length === 29);
  assert.equal(of(s, "task:state", id).length, 1);
});

test("while the old connection is half-open", async () => {
  const token = stack.token("ann", newOrg());
  const id = await stack.createTask({ description: "a" }, { token });
  const valve = await Valve.open(stack.gateways[0].url);
  const s = await joined({ token, base: valve.url }, id);
  const { id: sid } = s;
  await notes(id, 2);
  await until("it is live", () => added(s, id).length === 2);
  valve.holdDown();
  valve.holdUp();                                // the gateway hears nothing of what follows
  await notes(id, 3);
  await seqReaches(id, 6, token);
  const before = await health(0);
  await drop(s);
  await back(s, stack.gateways[1].url);
  assert.equal(s.recovered, true);
  assert.equal(s.id, sid);
  assert.deepEqual(added(s, id), range(2, 6));
  await until("the old transport is dropped", async () => (await health(0)) < before);
  await notes(id, 1);
  await until("live", () => added(s, id).length === 6);
  await drop(s);                                 // and the old owner has not spoilt the record
  await notes(id, 1);
  await seqReaches(id, 8, token);
  await back(s, stack.gateways[0].url);
  assert.equal(s.recovered, true);
  assert.deepEqual(added(s, id), range(2, 8));
  await valve.close();
});

async function health(i) {
  return (await fetch(`${stack.gateways[i].url}/api/health`).then((r) => r.json())).websocket.connectedUsers;
}

test("twelve times in a row, from replica to replica, while the task moves on", async () => {
  const token = stack.token("ann", newOrg());
  const id = await stack.createTask({ description: "a" }, { token });
  const s = await joined({ token }, id);
  assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
  const { id: sid } = s;
  let publishing = true;
  let published = 0;
  const writer = (async () => { for (; publishing; await sleep(15)) await notes(id, 1, published++); })();
  for (let i = 0; i < 12; i++) {
    await sleep(60);
    await drop(s);
    if (i % 3) await sleep(80);
    await back(s, stack.gateways[i % 2].url);
    assert.equal(s.recovered, true, `time ${i}`);
    assert.equal(s.id, sid);
  }
  publishing = false;
  await writer;
  await until("all is here", () => added(s, id).at(-1) === published + 1);
  assert.deepEqual(added(s, id), range(2, published + 1));
  assert.deepEqual(of(s, "dashboard:task_list_updated", id).map((e) => e.seq), range(2, published + 1));
  assert.equal(s.log.filter((e) => e.name.endsWith(":state")).length, 2);
});

test("a stolen pid opens nothing, and harms nobody", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const id = await stack.createTask({ description: "a" }, { token });
  const s = await joined({ token }, id);
  await notes(id, 1);
  await until("it has an offset", () => added(s, id).length === 1);
  const stolen = { pid: s._pid, offset: s._lastOffset };
  assert.ok(stolen.pid && stolen.offset);
  for (const thief of [stack.token("eve", org), stack.token("ann", `${org}-2`)]) {
    const e = await stack.connect({ auth: { token: thief, ...stolen } });
    assert.notEqual(e._pid, stolen.pid);
    assert.notEqual(e.id, s.id);
    await sleep(100);
    assert.deepEqual(e.log, []);
    e.disconnect();
  }
  assert.ok(s.connected, "the owner was not disturbed");
  await drop(s);
  await notes(id, 1);
  await seqReaches(id, 3, token);
  const e = await stack.connect({ auth: { token: stack.token("eve", org), ...stolen } });
  assert.notEqual(e._pid, stolen.pid);
  await back(s);
  assert.equal(s.recovered, true);
  assert.deepEqual(added(s, id), [2, 3]);
  assert.deepEqual(e.log, []);
});

test("a task that turned private meanwhile is not told of", async () => {
  const org = newOrg(), ann = stack.token("ann", org), bob = stack.token("bob", org);
  const id = await stack.createTask({ description: "soon private" }, { token: ann });
  const open = await stack.createTask({ description: "stays" }, { token: ann });
  const s = await joined({ token: bob }, id);
  assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
  await drop(s);
  await stack.publish("note", id, { text: "a secret, as it turns out" });
  await seqReaches(id, 2, ann);
  await patch(id, { isPrivate: true }, ann);
  await stack.publish("note", id, { text: "a secret" });
  await stack.publish("note", open, { text: "for all" });
  await seqReaches(id, 4, ann);
  await seqReaches(open, 2, ann);
  const before = s.log.length;
  await back(s, stack.gateways[1].url);
  assert.equal(s.recovered, true);
  const missed = s.log.slice(before);
  assert.deepEqual(missed.filter((e) => e.payload.taskId === id).map((e) => e.name), ["task:evicted", "dashboard:task_removed"]);
  assert.ok(!JSON.stringify(missed).includes("secret"));
  assert.deepEqual(missed.filter((e) => e.payload.taskId === open).map((e) => e.name), ["dashboard:task_list_updated"]);
  await stack.publish("note", id, { text: "a secret" });
  await stack.publish("note", open, { text: "for all" });
  await until("what is open is live", () => of(s, "dashboard:task_list_updated", open).length === 2);
  assert.equal(s.log.filter((e) => e.payload.taskId === id).length, 3);   // its state, and the two above
});

test("who leaves, and who is thrown out, begins anew", async () => {
  const token = stack.token("ann", newOrg());
  const s = await stack.connect({ token });
  const pid = s._pid;
  s.disconnect();
  await until("the record is gone", async () => (await stack.redisCall("EXISTS", `tasks:session:${pid}`)) === "0");
  await back(s);
  assert.equal(s.recovered, false);
  assert.notEqual(s._pid, pid);
});

test("an offset that nobody gave, or that the log has left behind, begins anew", async () => {
  const token = stack.token("ann", newOrg());
  const id = await stack.createTask({ description: "a" }, { token });
  const s = await joined({ token }, id);
  await notes(id, 1);
  await until("it has an offset", () => added(s, id).length === 1);
  const [epoch, number] = s._lastOffset.match(/\d+/g);
  for (const offset of ["nonsense", `${epoch}-${BigInt(number) + 1000n}.0`, `${BigInt(epoch) + 1n}-${number}.0`, `${epoch}-${number}.0.77`]) {
    const pid = s._pid;
    await drop(s);
    s._lastOffset = offset;
    await back(s);
    assert.equal(s.recovered, false, offset);
    assert.notEqual(s._pid, pid);
    s._lastOffset = undefined;
    assert.deepEqual(await ask(s, "task:join", { taskId: id }), { ok: true });
  }
  await drop(s);
  await notes(id, 2);
  await seqReaches(id, 4, token);
  const org = `recovery-${orgs}`;
  await stack.redisCall("XTRIM", `tasks:log:${org}`, "MAXLEN", "1");
  await back(s);
  assert.equal(s.recovered, false);
});

test("without Redis people come in, without a pid; with it again they get one", async () => {
  const mine = await Stack.start();
  try {
    const token = mine.token();
    const s = await mine.connect({ token });
    assert.ok(s._pid);
    await mine.redis.kill9();
    const t = await mine.connect({ token });
    assert.equal(t._pid, undefined);
    await mine.startRedis();
    await until("a newcomer gets one", async () => {
      const u = await mine.connect({ token });
      return u._pid;
    }, { every: 200 });
    const run = (await mine.redisCall("INFO", "server")).match(/run_id:(\w+)/)[1];
    await until("the first one's record is written anew",
      async () => (await mine.redisCall("HGET", `tasks:session:${s._pid}`, "run")) === run);
    await drop(s);
    await back(s);
    assert.equal(s.recovered, true);
  } finally {
    await mine.stop();
  }
});

test("who is told that it is back gets its rooms, however long their states are not to be had", async () => {
  const mine = await Stack.start();
  try {
    const token = mine.token();
    const id = await mine.createTask({ description: "a" }, { token });
    const s = await mine.connect({ token });
    assert.deepEqual(await ask(s, "task:join", { taskId: id }), { ok: true });
    assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
    // A record that was written anew does not say what the client has: it is owed fresh states.
    await mine.redis.kill9();
    await mine.startRedis();
    const run = (await mine.redisCall("INFO", "server")).match(/run_id:(\w+)/)[1];
    await until("its record is written anew", async () => (await mine.redisCall("HGET", `tasks:session:${s._pid}`, "run")) === run);
    await drop(s);
    await mine.taskd.kill9();
    const before = s.log.length;
    await back(s);
    assert.equal(s.recovered, true);
    await sleep(7000);                             // longer than a join waits
    assert.deepEqual(s.log.slice(before), []);
    await mine.startTaskd();
    await until("both states came", () => s.log.slice(before).filter((e) => e.name.endsWith(":state")).length === 2);
    await mine.publish("note", id, { text: "x" });
    await until("and then what is live", () => added(s, id).at(-1) === 2 && of(s, "dashboard:task_list_updated", id).at(-1)?.seq === 2);
    assert.deepEqual(added(s, id), [2]);
    assert.deepEqual(s.log.filter((e) => e.name === "error"), []);
  } finally {
    await mine.stop();
  }
});

test("a crowd that keeps losing its connections misses nothing and hears nothing twice", async () => {
  const org = newOrg();
  const watched = [];
  for (let i = 0; i < 3; i++) watched.push(await stack.createTask({ description: `task ${i}` }, { token: stack.token("ann", org) }));
  const doomed = await stack.startGateway();
  const people = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    const s = await stack.connect({ token: stack.token(`p${i % 5}`, org), base: stack.gateways[i % 3].url, transports: [i % 4 ? "websocket" : "polling"], reconnection: false });
    for (const id of watched) assert.deepEqual(await ask(s, "task:join", { taskId: id }), { ok: true });
    assert.deepEqual(await ask(s, "dashboard:join", {}), { ok: true });
    await sleep(100);
    return s;
  }));
  let over = false;
  let sent = 0;
  const writers = watched.map(async (id, n) => {
    for (let i = 0; !over; i++, sent++) {
      await stack.publish("note", id, { text: `${n}/${i}` });
      await sleep(10 + Math.random() * 20);
    }
  });
  let recovered = 0;
  const restless = people.map(async (s) => {
    while (!over) {
      await sleep(50 + Math.random() * 400);
      if (s.connected) await drop(s);
      await sleep(Math.random() < 0.5 ? 0 : Math.random() * 200);
      for (;;) {
        const live = stack.gateways[Math.floor(Math.random() * stack.gateways.length)];
        if (await back(s, live.url).then(() => true, () => false)) break;
        await sleep(20);
      }
      assert.equal(s.recovered, true);
      recovered++;
    }
  });
  await sleep(2500);
  stack.gateways.splice(stack.gateways.indexOf(doomed), 1);
  await doomed.kill9();
  await sleep(2500);
  over = true;
  await Promise.all([...writers, ...restless]);
  assert.ok(recovered > 30 && sent > 30, `${recovered} recoveries, ${sent} notes`);
  for (const id of watched) {
    const { body: task } = await stack.call("GET", `/api/tasks/${id}`, { token: stack.token("ann", org) });
    for (const s of people) {
      await until("everybody is at the end", () => added(s, id).at(-1) === task.seq && of(s, "dashboard:task_list_updated", id).at(-1).seq === task.seq);
      assert.deepEqual(added(s, id), range(2, task.seq));
      const rows = of(s, "dashboard:task_list_updated", id).map((e) => e.seq);
      assert.ok(rows.every((seq, i) => i === 0 || seq > rows[i - 1]), `rows go on: ${rows}`);   // some may be skipped, where newer ones overtook them in a queue
      assert.equal(of(s, "task:state", id).length, 1);
    }
  }
});

/** A TCP proxy that can stop passing on either direction, without closing anything. */
class Valve {
  static async open(to) {
    const v = new Valve();
    const { hostname, port } = new URL(to);
    v.pairs = [];
    v.server = net.createServer((client) => {
      const server = net.connect(Number(port), hostname);
      v.pairs.push({ client, server });
      client.on("data", (d) => { if (!v.upIsHeld) server.write(d); });
      server.on("data", (d) => { if (!v.downIsHeld) client.write(d); });
      client.on("error", () => {}).on("close", () => { if (!v.upIsHeld) server.destroy(); });
      server.on("error", () => {}).on("close", () => { if (!v.downIsHeld) client.destroy(); });
    });
    const mine = await freePort();
    await new Promise((done) => v.server.listen(mine, "127.0.0.1", done));
    v.url = `http://127.0.0.1:${mine}`;
    return v;
  }
  holdDown() { this.downIsHeld = true; }
  holdUp() { this.upIsHeld = true; }
  async close() {
    for (const { client, server } of this.pairs) { client.destroy(); server.destroy(); }
    await new Promise((done) => this.server.close(done));
  }
}
