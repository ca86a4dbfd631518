// dashboards.test.mjs - what dashboards are told (SPEC E, A2; DESIGN 3, 13): rows and counts of
// tasks that change hands between open and private, and bursts that a slow reader cannot take.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, freePort, until } from "../harness.mjs";
import { Bare } from "./bare.mjs";

let stack, metricsUrl;
before(async () => {
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  stack = await Stack.start({ gatewayEnv: { METRICS_PORT: String(port), PING_TIMEOUT_MS: "170000" } });   // who reads slowly pongs late
});
after(async () => { await stack.stop(); });

async function metric(name) {
  const text = await (await fetch(metricsUrl)).text();
  return text.split("\n").filter((l) => l.startsWith(`${name} `) || l.startsWith(`${name}{`)).reduce((sum, l) => sum + Number(l.split(" ").at(-1)), 0);
}

/** A dashboard as a page would hold it, and every rule that it sees broken. */
class Board {
  static async of(sub, org) {
    const b = new Board();
    Object.assign(b, { rows: new Map(), counts: {}, seen: new Map(), wrong: [], removed: [] });
    b.token = stack.token(sub, org);
    b.socket = await stack.connect({ token: b.token });
    b.socket.onAny((name, p) => b.hear(name, p));
    assert.deepEqual(await ask(b.socket, "dashboard:join", {}), { ok: true });
    return b;
  }
  hear(name, p) {
    if (name === "dashboard:state") {
      this.rows = new Map(p.tasks.map((t) => [t.taskId, t]));
      this.seen = new Map(p.tasks.map((t) => [t.taskId, t.seq]));
      this.counts = { org: pick(p), private: pick(p.private) };
    } else if (name === "dashboard:task_list_updated") {
      if (p.seq < (this.seen.get(p.taskId) ?? 0)) this.wrong.push(`row ${p.seq} after ${this.seen.get(p.taskId)}`);
      this.seen.set(p.taskId, p.seq);
      this.rows.set(p.taskId, p);
    } else if (name === "dashboard:task_removed") {
      this.removed.push(p);
      this.rows.delete(p.taskId);
    } else if (name === "dashboard:task_count_changed") {
      if (p.rev <= this.counts[p.scope].rev) this.wrong.push(`${p.scope} counts ${p.rev} after ${this.counts[p.scope].rev}`);
      this.counts[p.scope] = pick(p);
    }
  }
  holds(id) { return this.rows.get(id); }
  numbers(scope) { const { activeCount, completedCount, failedCount } = this.counts[scope]; return [activeCount, completedCount, failedCount]; }
}
const pick = ({ activeCount, completedCount, failedCount, rev }) => ({ activeCount, completedCount, failedCount, rev });

async function patch(id, body, token) {
  const { headers } = await stack.call("GET", `/api/tasks/${id}`, { token });
  const { status } = await stack.call("PATCH", `/api/tasks/${id}`, { token, body, headers: { "If-Match": headers.get("etag") } });
  assert.equal(status, 200);
}

test("a task that turns private leaves others' dashboards, and comes back when it is open again", async () => {
  const org = "turns";
  const ann = await Board.of("ann", org), bob = await Board.of("bob", org);
  const id = await stack.createTask({ description: "to and fro" }, { token: ann.token });
  await until("both hold it", () => ann.holds(id) && bob.holds(id));
  await until("and count it", () => ann.numbers("org")[0] === 1 && bob.numbers("org")[0] === 1);

  await patch(id, { isPrivate: true }, ann.token);
  await until("bob does not any more", () => !bob.holds(id) && bob.numbers("org")[0] === 0);
  await until("ann does, as a private one", () => ann.holds(id)?.isPrivate && ann.numbers("private")[0] === 1 && ann.numbers("org")[0] === 0);
  assert.deepEqual(bob.removed.map((p) => [p.taskId, p.seq]), [[id, 2]]);
  assert.deepEqual(bob.numbers("private"), [0, 0, 0]);
  await stack.publish("note", id, { text: "between us" });
  await until("ann hears on", () => ann.holds(id).seq === 3);
  const late = await Board.of("cid", org);
  assert.equal(late.holds(id), undefined);
  assert.ok(!JSON.stringify([bob.socket.log, late.socket.log]).includes(`"seq":3`));

  await patch(id, { isPrivate: false }, ann.token);
  await until("all hold it", () => [ann, bob, late].every((b) => b.holds(id)?.seq === 4 && !b.holds(id).isPrivate));
  await until("and count it again", () => [ann, bob, late].every((b) => b.numbers("org")[0] === 1 && b.numbers("private")[0] === 0));
  assert.deepEqual([ann, bob, late].flatMap((b) => b.wrong), []);
});

test("counts go up with their rev and end where the store is, whoever looks", async () => {
  const org = "counted";
  const ann = await Board.of("ann", org), bob = await Board.of("bob", org);
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push(await stack.createTask({ description: `${i}`, isPrivate: i >= 4 }, { token: ann.token }));
  const github = (n) => ({ issueNumber: n, issueUrl: `https://github.com/acme/site/issues/${n}`, githubBranch: `b${n}` });
  for (const [n, id] of ids.entries()) {
    await stack.publish("dispatched", id, github(n + 1));
    if (n % 3 === 0) await stack.publish("failed", id, { errorMessage: "no" });
    if (n % 3 === 1) await stack.publish("pr_merged", id, { mergeCommitSha: "a".repeat(40), mergedAt: "2026-11-21T02:17:00Z" });
  }
  await until("ann counts both scopes", () => `${ann.numbers("org")}` === "1,1,2" && `${ann.numbers("private")}` === "1,1,0");
  await until("the store has it too", async () => {
    const { body } = await stack.call("GET", "/api/tasks", { token: ann.token });
    return JSON.stringify([pick(body), pick(body.private)]) === JSON.stringify([ann.counts.org, ann.counts.private]);
  });
  await until("bob counts the org's", () => JSON.stringify(bob.counts.org) === JSON.stringify(ann.counts.org));
  assert.deepEqual(bob.numbers("private"), [0, 0, 0]);
  assert.deepEqual([ann, bob].flatMap((b) => b.wrong), []);
});

test("a burst reaches a slow dashboard as the newest row of each task", { timeout: 170_000 }, async (t) => {
  const org = "burst", token = stack.token("ann", org), TASKS = 20, ROUNDS = process.env.TASKWIRE_SANITIZED ? 250 : 300;
  const title = "🐢".repeat(190);
  const ids = [];
  for (let i = 0; i < TASKS; i++) ids.push(await stack.createTask({ description: "slow", title: `${i} ${title}` }, { token }));
  await until("all are there", async () => (await stack.call("GET", "/api/tasks", { token })).body.activeCount === TASKS);
  const fast = await Board.of("fast", org);
  const slow = { rows: new Map(), wrong: [], heard: 0 };
  slow.client = await Bare.connect(stack.url, stack.token("slow", org), (name, p) => {
    if (name === "dashboard:state") slow.rows = new Map(p.tasks.map((row) => [row.taskId, row.seq]));
    if (name !== "dashboard:task_list_updated") return;
    slow.heard++;
    if (p.seq <= slow.rows.get(p.taskId)) slow.wrong.push(`row ${p.seq} after ${slow.rows.get(p.taskId)}`);
    slow.rows.set(p.taskId, p.seq);
  });
  assert.deepEqual(await slow.client.ask("dashboard:join", {}), { ok: true });
  slow.client.ws.pause();
  for (let round = 0; round < ROUNDS; round += 50) {
    await stack.publishMany(Array.from({ length: 50 * TASKS }, (_, i) => stack.event("note", ids[i % TASKS], { text: "x" })));
  }
  const final = ROUNDS + 1;
  await until("who reads hears every row", () => ids.every((id) => fast.seen.get(id) === final), { ms: 120_000 });
  assert.ok(slow.client.ws.readyState === 1);
  slow.client.ws.resume();
  await until("who was slow is at the same rows", () => ids.every((id) => slow.rows.get(id) === final), { ms: 60_000 });
  const conflated = await metric("taskwire_engineio_messages_conflated_total");
  t.diagnostic(`${ROUNDS * TASKS} rows: the slow reader was told ${slow.heard}, ${conflated} were conflated`);
  assert.ok(conflated > 0 && slow.heard < ROUNDS * TASKS);
  assert.deepEqual([...slow.wrong, ...fast.wrong], []);
  slow.client.cut();
});
