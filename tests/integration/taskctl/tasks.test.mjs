// tasks.test.mjs - `taskctl list`, `get`, `create`, `clarify`, `watch`, `wait`, `stats` on real tasks.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { Stack, until } from "../harness.mjs";
import { bare, onTerminal, run, seen, taskctl } from "./terminal.mjs";

let stack, env;
before(async () => {
  stack = await Stack.start({ gateways: 1 });
  env = { TASKD_URL: stack.taskdUrl, REDIS_URL: stack.redisUrl, JWT_SECRET: stack.secret };
});
after(() => stack.stop());

const ctl = (...args) => run([taskctl, ...args], { env });
/** As ann of acme; fails where it does not end with 0. */
const ann = async (...args) => {
  const result = await ctl("--org", "acme", "--sub", "ann", ...args);
  assert.equal(result.code, 0, result.err);
  return result;
};
const json = async (...args) => JSON.parse((await ann(...args, "-o", "json")).out);
const make = async (text, ...args) => (await ann("create", "-q", text, ...args)).out.trim();
const statusOf = async (id) => (await json("get", id)).status;
const issue = { issueNumber: 42, issueUrl: "https://github.com/acme/house/issues/42", githubBranch: "blue" };

/** A way to taskd that knows whether an answer has passed. */
async function openWay(t) {
  const way = { answered: false };
  const server = net.createServer((client) => {
    const taskd = net.connect(stack.taskdPort, "127.0.0.1");
    taskd.once("data", () => { way.answered = true; });
    for (const [one, other] of [[client, taskd], [taskd, client]]) one.pipe(other).on("error", () => one.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  way.url = `http://127.0.0.1:${server.address().port}`;
  return way;
}

/** taskctl that goes on: its output so far, by `await until(…)`. */
function begin(t, ...args) {
  const child = spawn(taskctl, args.filter((a) => typeof a === "string"), { env: bare(Object.assign({}, env, ...args.filter((a) => typeof a === "object"))), stdio: ["ignore", "pipe", "pipe"] });
  const got = { out: "", err: "", child };
  child.stdout.setEncoding("utf8").on("data", (d) => { got.out += d; });
  child.stderr.setEncoding("utf8").on("data", (d) => { got.err += d; });
  got.ended = new Promise((done) => child.on("close", (code, signal) => done({ code, signal })));
  t.after(() => child.kill("SIGKILL"));
  got.lines = () => got.out.split("\n").filter(Boolean).map((l) => JSON.parse(l));
  return got;
}

describe("create", () => {
  test("prints id, status and seq; -q the id alone", async () => {
    const { out } = await ann("create", "Make the door blue");
    assert.match(out, /^ID +STATUS +SEQ\n[0-9a-f]{24} +received +1\n$/);
    assert.match((await ann("create", "-q", "Make it green")).out, /^[0-9a-f]{24}\n$/);
    const { taskId, status, seq } = await json("create", "Make it red");
    assert.match(taskId, /^[0-9a-f]{24}$/);
    assert.deepEqual([status, seq], ["received", 1]);
  });
  test("takes title, repository, privacy, and its text from a file or a pipe", async () => {
    const id = await make("Door", "--title", "The door", "--repo", "acme/house", "--private");
    const task = await json("get", id);
    assert.deepEqual([task.title, task.repo, task.isPrivate, task.description, task.createdBy, task.orgId], ["The door", "acme/house", true, "Door", "ann", "acme"]);
    const file = path.join(stack.folder, "description");
    await writeFile(file, "From a file\nof two lines\n");
    assert.equal((await json("get", (await ann("create", "-q", "-F", file)).out.trim())).description, "From a file\nof two lines");
    const piped = await run([taskctl, "create", "-q", "-F", "-", "--org", "acme", "--sub", "ann"], { env, input: "From a pipe\n" });
    assert.equal((await json("get", piped.out.trim())).description, "From a pipe");
  });
  test("the same key makes one task, with another text it is refused", async () => {
    const key = `k-${Math.random()}`;
    const id = await make("Once", "--key", key);
    assert.equal(await make("Once", "--key", key), id);
    const { code, err } = await ctl("create", "--org", "acme", "--sub", "ann", "Twice", "--key", key);
    assert.equal(code, 1);
    assert.match(err, /^taskctl: the task: This Idempotency-Key was used with another body\n$/);
  });
  test("what is missing or wrong is 2, what taskd refuses 1", async () => {
    assert.equal((await ctl("create")).code, 2);
    assert.equal((await ctl("create", "x", "-F", "y")).code, 2);
    const absent = await ctl("create", "-F", "/nowhere/at/all");
    assert.deepEqual([absent.code, absent.err], [1, "taskctl: /nowhere/at/all: No such file or directory\n"]);
    const empty = await ctl("create", "");
    assert.equal(empty.code, 1);
    assert.match(empty.err, /the task: A value is missing or not allowed: description/);
    const elsewhere = await run([taskctl, "create", "x", "--org", "acme"], { env: { ...env, JWT_SECRET: "", TASKWIRE_TOKEN: stack.token() } });
    assert.equal(elsewhere.code, 2);
    assert.match(elsewhere.err, /TASKWIRE_TOKEN says whose org/);
  });
});

describe("list", () => {
  let ids;
  before(async () => {
    ids = [];
    for (let i = 0; i < 5; i++) ids.push((await run([taskctl, "create", "-q", `Shed ${i}`, "--org", "sheds", "--sub", i % 2 ? "bo" : "cy"], { env })).out.trim());
    await stack.publish("failed", ids[0], { errorMessage: "It burned down" });
    await until("it failed", async () => (await ctl("list", "--org", "sheds", "--status", "failed", "-q")).out.trim() === ids[0]);
  });
  const listed = async (...args) => (await ctl("list", "--org", "sheds", "-q", ...args)).out.trim().split("\n").filter(Boolean);

  test("shows a table, newest first, with ages", async () => {
    const { code, out, err } = await ctl("list", "--org", "sheds");
    assert.equal(code, 0);
    assert.equal(err, "");
    const lines = out.trimEnd().split("\n");
    assert.match(lines[0], /^ID +STATUS +SINCE +AGE +CREATOR +ISSUE +PR +TITLE$/);
    assert.match(lines[1], new RegExp(`^${ids[4]} {2}received {2,}\\d+s +\\d+s +cy +- +- +Shed 4$`));
    assert.equal(lines.length, 6);
    assert.equal((await ctl("list", "--org", "sheds", "--no-headers")).out.split("\n").length, 6);
  });
  test("filters by status, activity, creator and words", async () => {
    assert.deepEqual(await listed("-s", "failed"), [ids[0]]);
    assert.deepEqual(await listed("--done"), [ids[0]]);
    assert.equal((await listed("--active")).length, 4);
    assert.deepEqual(await listed("--creator", "bo"), [ids[3], ids[1]]);
    assert.deepEqual(await listed("--search", "shed 2"), [ids[2]]);
    assert.deepEqual((await run([taskctl, "list", "-q", "--mine", "--org", "sheds", "--sub", "bo"], { env })).out.trim().split("\n"), [ids[3], ids[1]]);
  });
  test("sorts, and goes on page after page as far as it is told", async () => {
    assert.equal((await listed("--sort", "updated"))[0], ids[0]);
    assert.deepEqual(await listed("--limit", "2"), [ids[4], ids[3]]);
    for (let i = 0; i < 120; i++) await stack.createTask({ description: `Nail ${i}` }, { token: stack.token("nail", "nails") });
    const count = async (...args) => (await ctl("list", "--org", "nails", "-q", ...args)).out.trim().split("\n").length;
    assert.deepEqual([await count(), await count("--limit", "110"), await count("--all")], [50, 110, 120]);
  });
  test("an operator sees every org, a person their own", async () => {
    assert.ok((await ctl("list", "--all", "-q")).out.includes(ids[0]));
    assert.ok(!(await run([taskctl, "list", "--all", "-q", "--org", "acme", "--sub", "ann"], { env })).out.includes(ids[0]));
    const token = stack.token("ann", "acme");
    const other = await run([taskctl, "list", "--org", "sheds"], { env: { TASKD_URL: env.TASKD_URL, TASKWIRE_TOKEN: token } });
    assert.equal(other.code, 1);
    assert.match(other.err, /tasks: Not allowed: Another org's tasks/);
  });
  test("json is one array, ndjson a line for each, both with all there is", async () => {
    const all = JSON.parse((await ctl("list", "--org", "sheds", "-o", "json")).out);
    assert.deepEqual(all.map((t) => t.taskId), [...ids].reverse());
    assert.ok(all.every((t) => t.createdAt && t.isPrivate === false));
    assert.deepEqual((await ctl("list", "--org", "sheds", "-o", "ndjson")).out.trimEnd().split("\n").map((l) => JSON.parse(l)), all);
  });
  test("an empty list is no failure", async () => {
    const { code, out } = await ctl("list", "--org", "nobody");
    assert.deepEqual([code, out], [0, ""]);
    assert.equal((await ctl("list", "--org", "nobody", "-o", "json")).out, "[]\n");
  });
  test("values that are none are 2 before anybody is asked, or 1 by taskd", async () => {
    for (const args of [["--sort", "age"], ["--limit", "0"], ["--limit", "x"], ["--active", "--done"], ["-o", "yaml"], ["--color", "green"], ["--request-timeout", "soon"]]) {
      assert.equal((await ctl("list", ...args)).code, 2, args.join(" "));
    }
    assert.equal((await ctl("list", "--status", "lost")).code, 1);
  });
});

describe("get", () => {
  test("shows what is known, and the timeline", async () => {
    const id = await make("Make the gate blue", "--repo", "acme/house");
    await stack.publish("analyzing", id);
    await stack.publish("dispatched", id, issue);
    await until("it is dispatched", async () => await statusOf(id) === "dispatched");
    const { out } = await ann("get", id);
    for (const line of [`Task: +${id}`, "Title: +Make the gate blue", "Status: +dispatched", "Repository: +acme/house", "Branch: +blue"]) assert.match(out, new RegExp(`^${line}$`, "m"));
    assert.match(out, /^SEQ +AGE +EVENT +ACTOR +DETAIL\n +1 +\d+s +created +ann /m);
    assert.match(out, /^ +3 +\d+s +dispatched +\/test +issueNumber=42 /m);
    assert.ok(!(await ann("get", id, "--no-timeline")).out.includes("SEQ  AGE"));
    assert.deepEqual((await json("get", id)).events.map((e) => e.eventType), ["created", "analyzing", "dispatched"]);
  });
  test("several are an array, or one after the other", async () => {
    const [a, b] = [await make("A"), await make("B")];
    assert.deepEqual((await json("get", a, b)).map((t) => t.taskId), [a, b]);
    assert.deepEqual((await ann("get", a, b, "-o", "ndjson")).out.trimEnd().split("\n").map((l) => JSON.parse(l).taskId), [a, b]);
    assert.match((await ann("get", a, b, "--no-timeline")).out, new RegExp(`${a}[^]*\n\n[^]*${b}`));
  });
  test("what is not there, or not to be seen, is 3", async () => {
    const id = await make("Secret", "--private");
    for (const word of ["0123456789abcdef01234567", "nonsense", "../admin/status", "%00"]) {
      const { code, out, err } = await ctl("get", word);
      assert.deepEqual([code, out], [3, ""], word);
      assert.equal(err, `taskctl: task ${word}: Not found\n`);
    }
    assert.equal((await run([taskctl, "get", id, "--org", "acme", "--sub", "bo"], { env })).code, 3);
    assert.equal((await ctl("get", id)).code, 0, "an operator may");
  });
});

describe("clarify", () => {
  const asking = async () => {
    const id = await make("What?");
    await stack.publish("analyzing", id);
    await stack.publish("clarification_needed", id, { questions: ["Which door?", "Which blue?"] });
    await until("it asks", async () => await statusOf(id) === "needs_clarification");
    return id;
  };
  test("answers, as many as were asked", async () => {
    const id = await asking();
    const few = await ctl("clarify", id, "One", "--org", "acme", "--sub", "ann");
    assert.equal(few.code, 1);
    assert.match((await ann("clarify", id, "The front door", "Sky blue")).out, new RegExp(`^ID +STATUS +SEQ\n${id} +analyzing +4\n$`));
    assert.deepEqual((await json("get", id)).clarificationAnswers, ["The front door", "Sky blue"]);
  });
  test("asks on a terminal where no answers are given", async () => {
    const id = await asking();
    const { code, screen } = await onTerminal(["clarify", id, "--org", "acme", "--sub", "ann"], { env, type: "The back door\nNavy\n" });
    assert.equal(code, 0, screen);
    assert.ok(screen.includes("taskctl: Which door?") && screen.includes("taskctl: Which blue?"));
    assert.deepEqual((await json("get", id)).clarificationAnswers, ["The back door", "Navy"]);
  });
  test("without a terminal and answers it is 2, where nothing is asked 4", async () => {
    const id = await make("Nothing");
    assert.equal((await ctl("clarify", id)).code, 2);
    const { code, err } = await ctl("clarify", id, "x", "--org", "acme", "--sub", "ann");
    assert.equal(code, 4);
    assert.match(err, /The task's status does not allow this.*\(it is received, seq 1\)/);
    const asked = await onTerminal(["clarify", id, "--org", "acme", "--sub", "ann"], { env });
    assert.equal(asked.code, 4);
    assert.match(asked.screen, /asks nothing: it is received/);
  });
});

describe("wait", () => {
  test("ends when the task is there, also if it was there for a moment only", async (t) => {
    const id = await make("Wait for it");
    const way = await openWay(t);
    const waiting = begin(t, { TASKD_URL: way.url }, "wait", id, "--for=analyzing", "--timeout", "60s", "--interval", "1s", "-o", "ndjson");
    await until("it has looked once", () => way.answered);
    await stack.publish("analyzing", id);
    await stack.publish("dispatched", id, issue);
    assert.deepEqual(await waiting.ended, { code: 0, signal: null }, waiting.err);
    assert.deepEqual(waiting.lines(), [{ taskId: id, status: "analyzing", seq: 2 }]);
    assert.equal((await ctl("wait", id, "--for", "dispatched,merged")).code, 0);
  });
  test("is 124 when the time is over", async () => {
    const id = await make("Slow");
    const { code, out, err } = await ctl("wait", id, "--timeout", "300ms");
    assert.deepEqual([code, out], [124, ""]);
    assert.match(err, new RegExp(`task ${id} is still received`));
  });
  test("is 1 as soon as it can never be", async (t) => {
    const id = await make("Doomed");
    const waiting = begin(t, "wait", id, "--for", "merged", "--timeout", "60s");
    await stack.publish("failed", id, { errorMessage: "No" });
    assert.deepEqual(await waiting.ended, { code: 1, signal: null });
    assert.match(waiting.err, /is failed, and will never be what it was waited for/);
    assert.equal((await ctl("wait", id, "--for", "coding")).code, 1);
  });
  test("goes on while a pull request that was closed may be opened again", async (t) => {
    const id = await make("Reopened");
    const pr = { prNumber: 7, prUrl: "https://github.com/acme/house/pull/7" };
    for (const [type, data] of [["dispatched", issue], ["pr_opened", pr], ["pr_closed", {}]]) await stack.publish(type, id, data);
    await until("it failed", async () => await statusOf(id) === "failed");
    const waiting = begin(t, "wait", id, "--for", "merged", "--timeout", "60s");
    await stack.publish("pr_opened", id, pr);
    await stack.publish("pr_merged", id, { mergeCommitSha: "abc" });
    assert.deepEqual(await waiting.ended, { code: 0, signal: null }, waiting.err);
  });
  test("what is wrong is 2, what is not there 3", async () => {
    assert.equal((await ctl("wait", "0123456789abcdef01234567", "--for", "lost")).code, 2);
    assert.equal((await ctl("wait", "0123456789abcdef01234567", "--timeout", "1x")).code, 2);
    assert.equal((await ctl("wait", "0123456789abcdef01234567")).code, 3);
  });
});

describe("watch", () => {
  test("shows each event once and in order, and ends where it is told to", async (t) => {
    const id = await make("Watched");
    const watching = begin(t, "watch", id, "--after", "0", "--until", "dispatched", "-o", "ndjson", "--interval", "100ms");
    await until("it has begun", () => watching.lines().length === 1);
    await stack.publish("analyzing", id);
    await until("it goes on", () => watching.lines().length === 2);
    await stack.publish("note", id, { text: "Nearly" });
    await stack.publish("dispatched", id, issue);
    assert.deepEqual(await watching.ended, { code: 0, signal: null }, watching.err);
    assert.deepEqual(watching.lines().map((e) => [e.taskId, e.seq, e.eventType]), [[id, 1, "created"], [id, 2, "analyzing"], [id, 3, "note"], [id, 4, "dispatched"]]);
  });
  test("goes on behind a seq, through more than a page", async () => {
    const id = await make("Long");
    for (let i = 0; i < 450; i++) await stack.publish("note", id, { text: `Note ${i}` });
    await stack.publish("analyzing", id);
    await until("all is there", async () => (await json("get", id)).seq === 452, { ms: 60_000 });
    const { out } = await ann("watch", id, "--after", "7", "--until", "analyzing", "-o", "ndjson");
    assert.deepEqual(out.trimEnd().split("\n").map((l) => JSON.parse(l).seq), Array.from({ length: 445 }, (_, i) => 8 + i));
  });
  test("lives through an absence of taskd without a gap or a repeat", async (t) => {
    const id = await make("Patient");
    const watching = begin(t, "watch", id, "--until", "dispatched", "-o", "ndjson", "--interval", "100ms");
    const one = begin(t, "wait", id, "--for", "dispatched", "--timeout", "60s", "--interval", "100ms");
    await until("it watches", async () => {
      await stack.publish("note", id, { text: "Are you there?" });
      return watching.lines().length > 0;
    }, { every: 200 });
    await stack.taskd.kill9();
    await until("it says so", () => /is not to be reached/.test(watching.err));
    await stack.publish("analyzing", id);
    await stack.startTaskd();
    await stack.publish("dispatched", id, issue);
    assert.deepEqual(await watching.ended, { code: 0, signal: null }, watching.err);
    assert.deepEqual(await one.ended, { code: 0, signal: null }, one.err);
    const seqs = watching.lines().map((e) => e.seq);
    assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i));
    assert.equal(watching.err.split("not to be reached").length, 2, "an absence is told once");
  });
  test("of all tasks shows each that moves", async (t) => {
    const old = await make("Old");
    const watching = begin(t, "watch", "--org", "acme", "-o", "ndjson", "--interval", "100ms");
    const ids = () => watching.lines().map((r) => r.taskId);
    let id;
    await until("it watches", async () => {
      id = await make("New");
      return ids().length > 0;
    });
    await until("the last one came", () => ids().includes(id));
    await stack.publish("analyzing", old);
    await until("it moved", () => watching.lines().some((r) => r.taskId === old && r.status === "analyzing"));
    const moves = watching.lines().map((r) => `${r.taskId} ${r.seq}`);
    assert.equal(new Set(moves).size, moves.length, "none is told twice");
    watching.child.kill("SIGINT");
    assert.deepEqual(await watching.ended, { code: null, signal: "SIGINT" });
  });
  test("in a table, titles come once and columns stay", async (t) => {
    const id = await make("Table");
    const watching = begin(t, "watch", id, "--after", "0", "--interval", "100ms");
    await until("one row", () => watching.out.split("\n").length === 3);
    await stack.publish("analyzing", id);
    await until("another", () => watching.out.split("\n").length === 4);
    assert.match(watching.out, /^SEQ +AGE +EVENT +ACTOR +DETAIL\n +1 +\d+s +created .*\n +2 +\d+s +analyzing/);
    assert.equal(watching.out.split("SEQ").length, 2);
  });
  test("what is wrong is 2, what is not there 3", async () => {
    assert.equal((await ctl("watch", "--after", "3")).code, 2);
    assert.equal((await ctl("watch", "x", "--until", "lost")).code, 2);
    assert.equal((await ctl("watch", "x", "--after", "-1")).code, 2);
    assert.equal((await ctl("watch", "0123456789abcdef01234567")).code, 3);
  });
});

describe("stats", () => {
  test("an org's counts, and the system's for operators", async () => {
    for (const [type, org] of [[null, "counted"], [null, "counted"], ["failed", "counted"]]) {
      const id = await stack.createTask({ description: "x" }, { token: stack.token("c", org) });
      if (type) await stack.publish(type, id, { errorMessage: "x" });
    }
    await until("all of it is published", async () => {
      const { active, failed } = JSON.parse((await ctl("stats", "--org", "counted", "-o", "json")).out);
      return active === 2 && failed === 1;
    });
    const stats = JSON.parse((await ctl("stats", "--org", "counted", "-o", "json")).out);
    assert.deepEqual([stats.org, stats.active, stats.completed, stats.failed, stats.gateways], ["counted", 2, 0, 1, 1]);
    const { out } = await ctl("stats", "--org", "counted");
    assert.match(out, /^Org: +counted\nActive: +2\n/);
    const person = await run([taskctl, "stats", "-o", "json", "--org", "counted", "--sub", "c"], { env });
    assert.equal(person.code, 0, person.err);
    assert.deepEqual([JSON.parse(person.out).active, "gateways" in JSON.parse(person.out)], [2, false]);
  });
});

test("a progress line is on the terminal alone, and goes away", async () => {
  const id = await make("On a terminal");
  const { code, screen } = await onTerminal(["wait", id, "--timeout", "500ms", "--interval", "100ms"], { env });
  assert.equal(code, 124);
  assert.match(screen, new RegExp(`\\r\\x1b\\[Ktask ${id} is received \\(seq 1\\)`));
  assert.match(screen, /\r\x1b\[Ktaskctl: task \w+ is still received\r\n$/);
  assert.equal(seen(screen).at(-1).endsWith("is still received"), true);
  assert.ok(!(await ctl("wait", id, "--timeout", "300ms")).err.includes("\x1b"));
});
