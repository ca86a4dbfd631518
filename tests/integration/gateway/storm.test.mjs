// storm.test.mjs - a crowd that comes all at once costs taskd a handful of requests, however
// large it is (SPEC C1; DESIGN 4): what reaches taskd is counted on its way there.
//
// STORM=10000 sets the size of the crowd.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import { Stack, sleep, until } from "../harness.mjs";
import { Bare, inTurns } from "./bare.mjs";

const CROWD = Number(process.env.STORM || (process.env.TASKWIRE_SANITIZED ? 300 : 2000));
const HANDFUL = 6;

let stack, counter;
const asked = new Map();                       // path -> requests

/** Passes everything on to taskd, and counts. */
function countingProxy() {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    asked.set(request.url, (asked.get(request.url) ?? 0) + 1);
    const { hostname, port } = new URL(stack.taskdUrl);
    const on = http.request({ agent, hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    on.on("error", () => response.destroy());
    request.pipe(on);
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

const count = (path) => asked.get(path) ?? 0;

before(async () => {
  stack = await Stack.start({ gateways: 0 });
  counter = await countingProxy();
  await stack.startGateway({ TASKD_URL: `http://127.0.0.1:${counter.address().port}`, JOINS_PER_SECOND: "0" });
});
after(async () => {
  await stack.stop();
  counter.closeAllConnections();
  counter.close();
});

/** Everybody of an org, connected, each with what they hold of the dashboard and of a task. */
async function crowd(org, size = CROWD) {
  return inTurns(size, async (i) => {
    const member = { rows: null, rev: 0, seq: null, states: 0, wrong: [] };
    member.client = await Bare.connect(stack.url, stack.token(`s${i}`, org), (name, p) => {
      if (name === "dashboard:state") {
        member.rows = new Map(p.tasks.map((t) => [t.taskId, t.seq]));
        member.states++;
      } else if (name === "dashboard:task_list_updated") {
        const last = member.rows.get(p.taskId) ?? 0;
        if (p.seq !== last + 1) member.wrong.push(`row ${last} -> ${p.seq}`);
        member.rows.set(p.taskId, p.seq);
      } else if (name === "task:state") {
        member.seq = p.seq;
        member.states++;
      } else if (name === "task:event_added") {
        if (p.seq !== member.seq + 1) member.wrong.push(`task ${member.seq} -> ${p.seq}`);
        member.seq = p.seq;
      }
    });
    return member;
  });
}

async function joinAtOnce(members, name, payload) {
  const answers = await Promise.all(members.map((m) => m.client.ask(name, payload)));
  assert.deepEqual(answers.filter((a) => !a.ok), []);
}

const right = (members) => assert.deepEqual(members.flatMap((m) => m.wrong), []);
const cut = (members) => members.forEach((m) => m.client.cut());

test(`${CROWD} join a quiet dashboard at once`, { timeout: 170_000 }, async (t) => {
  const org = "quiet";
  const id = await stack.createTask({ description: "here" }, { token: stack.token("ann", org) });
  const members = await crowd(org), began = Date.now();
  await joinAtOnce(members, "dashboard:join", {});
  t.diagnostic(`${CROWD} joined in ${Date.now() - began} ms with ${count("/internal/orgs/quiet")} requests to taskd`);
  assert.ok(count("/internal/orgs/quiet") <= HANDFUL, `${count("/internal/orgs/quiet")} requests`);
  for (const m of members) assert.equal(m.rows.get(id), 1);
  await stack.publish("note", id, { text: "x" });
  await until("all hear what comes after", () => members.every((m) => m.rows.get(id) === 2));
  right(members);
  cut(members);
});

test(`${CROWD} join a busy dashboard at once, some with private tasks of their own`, { timeout: 170_000 }, async (t) => {
  const org = "busy";
  const ids = [];
  for (let i = 0; i < 5; i++) ids.push(await stack.createTask({ description: `task ${i}` }, { token: stack.token("ann", org) }));
  const own = await stack.createTask({ description: "mine", isPrivate: true }, { token: stack.token("s7", org) });
  const members = await crowd(org);
  let notes = 0, over = false;
  const busy = Promise.all(ids.map(async (id) => {
    for (; !over; notes++, await sleep(70)) await stack.publish("note", id, { text: "x" });
  }));
  await until("it is busy", () => notes >= 10);
  notes = 0;
  const began = Date.now();
  await joinAtOnce(members, "dashboard:join", {});
  const ms = Date.now() - began;
  over = true;
  await busy;
  const requests = count("/internal/orgs/busy"), seconds = Math.ceil(ms / 1000);
  t.diagnostic(`${CROWD} joined in ${ms} ms while ${notes} notes came, with ${requests} requests to taskd`);
  assert.ok(requests <= HANDFUL + 6 * seconds, `${requests} requests in ${seconds} s`);
  assert.ok(count("/internal/orgs/busy/people/s7") <= HANDFUL + 6 * seconds);
  assert.equal([...asked.keys()].filter((path) => path.startsWith("/internal/orgs/busy/people/")).length, 1);
  await until("all of it is stored", async () => (await stack.redisCall("XLEN", "tasks:ingest")) === "0", { ms: 60_000 });
  const total = new Map(await Promise.all(ids.map(async (id) => [id, (await stack.call("GET", `/api/tasks/${id}`, { token: stack.token("ann", org) })).body.seq])));
  await until("everybody is where the store is", () => members.every((m) => ids.every((id) => m.rows.get(id) === total.get(id))), { ms: 30_000 });
  right(members);
  assert.deepEqual(members.map((m, i) => m.rows.has(own) === (i === 7)).filter((ok) => !ok), []);
  cut(members);
});

test(`${CROWD} join one task at once, leave it, and ask again`, { timeout: 170_000 }, async (t) => {
  const org = "one-task", path = (id) => `/internal/tasks/${id}`;
  const id = await stack.createTask({ description: "the one" }, { token: stack.token("ann", org) });
  const members = await crowd(org);
  await joinAtOnce(members, "task:join", { taskId: id });
  assert.ok(count(path(id)) <= HANDFUL, `${count(path(id))} requests`);
  await joinAtOnce(members, "task:join", { taskId: id });
  for (const m of members) assert.equal(m.states, 2, "who joins twice gets a state each time");
  await joinAtOnce(members, "resync_requested", {});
  await joinAtOnce(members, "task:leave", { taskId: id });
  await joinAtOnce(members, "task:join", { taskId: id });
  t.diagnostic(`${count(path(id))} requests to taskd for ${4 * CROWD} states`);
  assert.ok(count(path(id)) <= 4 * HANDFUL, `${count(path(id))} requests`);
  await stack.publish("note", id, { text: "x" });
  await until("all hear what comes after, once", () => members.every((m) => m.seq === 2));
  right(members);
  cut(members);
});
