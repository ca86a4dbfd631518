// witness.mjs - a person who watches and remembers: is what they are shown whole, in order,
// and never said twice? And services and people who say each thing until it was heard.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import net from "node:net";
import { ask, sleep, until } from "../harness.mjs";

/** Follows the dashboard, and every task that `room` is told of. `wrong` holds what must not be. */
export class Witness {
  static async at(stack, { token, base } = {}) {
    const w = new Witness();
    w.stack = stack;
    w.socket = await stack.connect({ token, ...(base && { base }) });
    w.rows = new Map();                        // taskId -> {seq, status}
    w.rooms = new Map();                       // taskId -> seq
    w.counts = {};                             // scope -> counts
    w.notices = new Map();                     // id -> {kind, taskId, ...}
    w.wrong = [];
    for (const { name, payload } of w.socket.log) w.hear(name, payload);
    w.socket.onAny((name, payload) => w.hear(name, payload));
    w.socket.on("connect", () => { if (!w.socket.recovered) w.joinAll().catch(() => {}); });
    await w.joinAll();
    return w;
  }

  /** Join what was joined before; a taskd that is away for a moment is asked again. */
  async joinAll() {
    await this.say("dashboard:join", {});
    for (const taskId of this.rooms.keys()) await this.say("task:join", { taskId });
  }

  async room(taskId) {
    this.rooms.set(taskId, this.rooms.get(taskId) ?? 0);
    await this.say("task:join", { taskId });
  }

  async say(name, payload) {
    await until(`${name} is answered with ok`, async () => (await ask(this.socket, name, payload).catch(() => null))?.ok,
      { ms: 30_000, every: 100 });
  }

  hear(name, p) {
    if (name === "dashboard:state") {
      for (const row of p.tasks) this.snapshot(this.rows, row.taskId, row, "row");
      this.count({ scope: "org", ...p });
      if (p.private) this.count({ scope: "private", ...p.private });
    } else if (name === "dashboard:task_list_updated") this.next(this.rows, p.taskId, p, "row");
    else if (name === "dashboard:task_count_changed") this.count(p);
    else if (name === "task:state") this.snapshot(this.rooms, p.taskId, p, "room");
    else if (name === "task:event_added") this.next(this.rooms, p.taskId, p, "room");
    else if (name === "user:notification") {
      if (this.notices.has(p.id)) this.wrong.push(`notification ${p.id}, ${p.kind} of ${p.taskId}: twice`);
      this.notices.set(p.id, p);
    }
  }

  snapshot(map, id, p, what) {
    const known = map.get(id)?.seq ?? 0;
    if (p.seq < known) this.wrong.push(`${what} ${id}: a snapshot at ${p.seq} after ${known}`);
    map.set(id, { seq: Math.max(known, p.seq), status: p.status });
  }

  next(map, id, p, what) {
    const known = map.get(id)?.seq ?? 0;
    if (p.seq !== known + 1) this.wrong.push(`${what} ${id}: ${p.seq} after ${known}`);
    map.set(id, { seq: Math.max(known, p.seq), status: p.status ?? map.get(id)?.status });
  }

  count({ scope, rev, activeCount, completedCount, failedCount }) {
    if (rev >= (this.counts[scope]?.rev ?? 0)) this.counts[scope] = { rev, activeCount, completedCount, failedCount };
  }

  /** Wait until everything that the store holds was seen, and say that it was seen rightly. */
  async agrees(stored, { countsMs = 5000 } = {}) {
    const behind = () => [...stored.values()].filter((t) => this.rows.get(t.taskId)?.seq !== t.seq ||
      (this.rooms.has(t.taskId) && this.rooms.get(t.taskId)?.seq !== t.seq));
    await until("the witness has seen all", () => behind().length === 0, { ms: 60_000 }).catch((error) => {
      const t = behind()[0];
      throw new Error(`${error.message}: ${behind().length} behind, e.g. ${t.taskId} at ${t.seq}, row ${JSON.stringify(this.rows.get(t.taskId))}, ` +
        `room ${JSON.stringify(this.rooms.get(t.taskId))}; wrong: ${this.wrong.slice(0, 5).join("; ")}`);
    });
    assert.deepEqual(this.wrong, [], "no gap, no repeat, nothing older than a snapshot");
    for (const t of stored.values()) assert.equal(this.rows.get(t.taskId).status, t.status);
    for (const scope of ["org", "private"]) {
      const right = countsOf(stored, scope);
      await until("the counts are right", () => same(this.counts[scope], right), { ms: countsMs }).catch(() => {
        assert.deepEqual(this.counts[scope], right, scope);
      });
    }
  }
}

export function countsOf(stored, scope) {
  const tasks = [...stored.values()].filter((t) => t.isPrivate === (scope === "private"));
  const n = { activeCount: 0, completedCount: 0, failedCount: 0 };
  for (const t of tasks) n[t.status === "merged" ? "completedCount" : t.status === "failed" ? "failedCount" : "activeCount"]++;
  return n;
}

function same(counts, right) {
  return Object.keys(right).every((k) => counts?.[k] === right[k]);
}

/** A REST call that is made again, with the same key, until a living taskd answers it. */
export async function insist(stack, method, target, { key = randomUUID(), headers, ...options } = {}) {
  let answer;
  await until(`${method} ${target} is answered`, async () => {
    answer = await stack.call(method, target, { ...options, headers: { ...headers, "Idempotency-Key": key } }).catch(() => null);
    return answer && answer.status < 500;
  }, { ms: 30_000, every: 50 });
  return answer;
}

/** A service's own connection to the ingest stream: a process for each event would be the load. */
class Bus {
  constructor(port) {
    this.waiting = [];
    this.text = "";
    this.socket = net.connect(port, "127.0.0.1").setNoDelay().unref();
    this.socket.on("data", (d) => { this.text += d; this.read(); });
    this.socket.on("error", () => {}).on("close", () => {
      this.isClosed = true;
      for (const w of this.waiting.splice(0)) w.fail(new Error("Redis went away"));
    });
  }
  /** Replies are `$LENGTH`, `ID`, or `-error`. */
  read() {
    for (;;) {
      const lines = this.text.split("\r\n", 3);
      const isError = lines[0].startsWith("-");
      if (lines.length < (isError ? 2 : 3)) return;
      this.text = this.text.slice(lines[0].length + 2 + (isError ? 0 : lines[1].length + 2));
      const w = this.waiting.shift();
      if (isError) w.fail(new Error(lines[0]));
      else w.done(lines[1]);
    }
  }
  xadd(event) {
    return new Promise((done, fail) => {
      if (this.isClosed) return fail(new Error("Redis is away"));
      this.waiting.push({ done, fail });
      const parts = ["XADD", "tasks:ingest", "*", "event", event];
      this.socket.write(`*${parts.length}\r\n${parts.map((p) => `$${Buffer.byteLength(p)}\r\n${p}\r\n`).join("")}`);
    });
  }
}

/** XADD of an event; fails where Redis did not say that it took it. */
export function xadd(stack, event) {
  if (!stack.bus || stack.bus.isClosed) stack.bus = new Bus(stack.redisPort);
  return stack.bus.xadd(event);
}

/** An event, published until Redis has taken it; the same id whatever happens. */
export async function publish(stack, type, taskId, data, extra) {
  const event = stack.event(type, taskId, data, extra);
  await until(`${type} is taken by Redis`, () => xadd(stack, event).catch(() => false), { ms: 30_000, every: 50 });
  return event;
}

export const LINK = "https://github.com/acme/site";
export const LIFE = ["created", "analyzing", "llm_response", "clarification_needed", "clarification_submitted",
  "dispatched", "coding", "pr_opened", "pr_merged", "note"];

export async function task(stack, id, options) {
  return until(`task ${id} can be read`, async () => {
    const answer = await stack.call("GET", `/api/tasks/${id}`, options).catch(() => null);
    return answer?.status === 200 && answer.body;
  }, { ms: 30_000, every: 50 });
}

/** One task from beginning to end, with an input that comes too late: whoever dies meanwhile. */
export async function live(stack, options = {}) {
  const made = await insist(stack, "POST", "/api/tasks", { ...options, body: { description: "Paint the door" } });
  assert.equal(made.status, 202);
  const { taskId } = made.body;
  await options.onCreated?.(taskId);
  await publish(stack, "analyzing", taskId);
  await publish(stack, "llm_response", taskId, { taskType: "feature" });
  await publish(stack, "clarification_needed", taskId, { questions: ["Which door?"] });
  await until("it asks", async () => (await task(stack, taskId, options)).status === "needs_clarification", { ms: 60_000 });
  const answer = await insist(stack, "POST", `/api/tasks/${taskId}/clarify`, { ...options, body: { answers: ["The red one"] } });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  await publish(stack, "dispatched", taskId, { issueNumber: 1, issueUrl: `${LINK}/issues/1`, githubBranch: "door" });
  await publish(stack, "coding", taskId);
  await publish(stack, "pr_opened", taskId, { prNumber: 2, prUrl: `${LINK}/pull/2`, prTitle: "Door", prState: "open" });
  await publish(stack, "pr_merged", taskId, { mergeCommitSha: "a".repeat(40), mergedAt: new Date().toISOString() });
  const late = await publish(stack, "coding", taskId);
  await publish(stack, "note", taskId, { text: "done" });
  return { taskId, late };
}

/** One task's busy time: edits by a person, private and public by turns, and notes by a service, each
 *  until it had its effect. Gives the task's id; every input is in its timeline once, in this order. */
export async function busy(stack, { inputs = 16, pauseMs = 100, bases = [undefined], onCreated, ...options } = {}) {
  const made = await insist(stack, "POST", "/api/tasks", { ...options, body: { description: "Busy" } });
  const { taskId } = made.body;
  await onCreated?.(taskId);
  for (let seq = 1; seq < inputs; seq++) {
    await sleep(pauseMs);
    const base = bases[seq % bases.length];
    if (seq % 2) {
      const { status, body } = await insist(stack, "PATCH", `/api/tasks/${taskId}`,
        { ...options, ...(base && { base }), body: { title: `t${seq}`, isPrivate: seq % 4 === 1 }, headers: { "If-Match": `"${seq}"` } });
      assert.equal(status, 200, JSON.stringify(body));
    } else {
      const event = stack.event("note", taskId, { text: `n${seq}` });
      let asked = 0;
      await until(`note ${seq} of ${taskId} has its effect`, async () => {
        if (Date.now() - asked > 1500) {         // a Redis that lost its memory forgot it: once more
          asked = Date.now();
          await xadd(stack, event).catch(() => {});
        }
        return (await task(stack, taskId, options)).seq > seq;
      }, { ms: 60_000, every: 50 });
    }
  }
  const said = (await timeline(stack, taskId, options)).map((e) => (e.seq > 1 && (e.payload.title ?? e.payload.text)) || e.eventType);
  assert.deepEqual(said, ["created", ...Array.from({ length: inputs - 1 }, (_, i) => `${i % 2 ? "n" : "t"}${i + 1}`)]);
  return taskId;
}

/** Nothing is under way any more: the stream is worked off, the outbox empty. */
export async function settled(stack, { base = stack.taskdUrl } = {}) {
  await until("the ingest stream is empty", async () => (await stack.redisCall("XLEN", "tasks:ingest").catch(() => "")) === "0", { ms: 60_000 });
  const admin = { base, token: stack.token("op", "ops", { roles: ["admin"] }) };
  await until("the outbox is empty", async () => (await stack.call("GET", "/api/admin/outbox", admin).catch(() => null))?.body.unpublished === 0, { ms: 60_000 });
}

/** Everything that a person may see, as the store has it. */
export async function storedTasks(stack, options = {}) {
  const stored = new Map();
  for (let cursor = ""; cursor !== undefined;) {
    const { body } = await stack.call("GET", `/api/tasks?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, options);
    for (const t of body.tasks) stored.set(t.taskId, t);
    cursor = body.nextCursor;
  }
  return stored;
}

/** A Redis that forgot an org is given its counts anew, and they are what the store's tasks say. */
export async function recountIsRight(stack, options = {}) {
  await stack.redisCall("DEL", "tasks:org:acme", "tasks:log:acme");
  const stored = await storedTasks(stack, options);
  const counted = () => stack.call("GET", "/api/tasks?limit=1", options).then((a) => a.status === 200 && a.body.rev > 0 && a.body, () => null);
  const body = await until("the org is counted anew", counted, { ms: 20_000 });
  for (const [scope, counts] of [["org", body], ["private", body.private]]) {
    const right = countsOf(stored, scope);
    assert.deepEqual(Object.fromEntries(Object.keys(right).map((k) => [k, counts[k]])), right, scope);
  }
}

/** The whole timeline of a task. */
export async function timeline(stack, id, options = {}) {
  const events = [];
  for (;;) {
    const { body } = await stack.call("GET", `/api/tasks/${id}/events?limit=100&after=${events.length}`, options);
    events.push(...body.events);
    if (body.events.length < 100) return events;
  }
}

/** An org's log holds each transition of this epoch once, and those of a task in order. */
export async function logIsRight(stack, org = "acme", port = stack.redisPort) {
  const entries = JSON.parse(await stack.redisCallAt(port, "--json", "XRANGE", `tasks:log:${org}`, "-", "+"));
  const last = new Map();
  let number = 0;
  for (const [id, [, message]] of entries) {
    const [position, routing] = message.split("\n", 2);
    const [, task, , seq] = routing.split(" ");
    assert.equal(position.split(" ")[1], id.split("-")[0]);
    assert.ok(!number || Number(position.split(" ")[1]) === number + 1, "the numbers have no gap");
    number = Number(position.split(" ")[1]);
    if (task === "-") continue;
    assert.ok(!last.has(task) || Number(seq) === last.get(task) + 1, `${task}: ${seq} after ${last.get(task)} in the log`);
    last.set(task, Number(seq));
  }
}

/** Each refused input's event, as often as it is a dead letter. */
export async function deadEvents(stack) {
  const text = await stack.redisCall("--json", "XRANGE", "tasks:ingest:dead", "-", "+");
  return JSON.parse(text).map(([, fields]) => fields[fields.indexOf("event") + 1]);
}

export { assert, sleep, until };
