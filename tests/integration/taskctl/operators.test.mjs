// operators.test.mjs - `taskctl health`, `replicas`, `outbox`, `dead …`, `revoke …`, `flags …`, `token`, `version`,
// `help`, `publish` and `simulate` on a running system.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createHash } from "node:crypto";
import { Stack, until } from "../harness.mjs";
import { onTerminal, run, taskctl } from "./terminal.mjs";

let stack, env;
before(async () => {
  stack = await Stack.start({ gateways: 2 });
  env = { TASKD_URL: stack.taskdUrl, REDIS_URL: stack.redisUrl, JWT_SECRET: stack.secret };
});
after(() => stack.stop());

const ctl = (...args) => run([taskctl, ...args], { env });
const done = async (...args) => {
  const result = await ctl(...args);
  assert.equal(result.code, 0, result.err);
  return result;
};
const json = async (...args) => JSON.parse((await done(...args, "-o", "json")).out);
const taskOf = (id) => stack.call("GET", `/api/tasks/${id}`, { base: stack.taskdUrl });

describe("health", () => {
  test("lists taskd, what it depends on, and the gateways", async () => {
    await until("both gateways are ready", async () => (await ctl("health")).code === 0);
    const rows = await json("health");
    assert.deepEqual(rows.slice(0, 3).map((r) => [r.component, r.state]), [["taskd", "ok"], ["store", "up"], ["redis", "up"]]);
    assert.deepEqual(rows.slice(3).map((r) => r.state), ["ready", "ready"]);
    assert.match((await done("health")).out, /^COMPONENT +STATE +DETAIL\ntaskd +ok +version \S+, pid \d+, works the ingest stream\n/);
  });
  test("is 1 where something is degraded, and says what", async () => {
    await stack.redis.kill9();
    await until("it is noticed", async () => (await ctl("health", "--request-timeout", "2s")).code === 1);
    const { out } = await ctl("health", "--request-timeout", "2s");
    assert.match(out, /^redis +down/m);
    await stack.startRedis();
    await until("all is well again", async () => (await ctl("health")).code === 0, { ms: 30_000, every: 200 });
  });
});

describe("replicas", () => {
  test("lists gateways, with what they say of themselves", async () => {
    const client = await stack.connect();
    await until("the client is told of, and all are ready", async () => {
      const all = await json("replicas");
      return all.some((r) => r.connections === 1) && all.every((r) => r.state === "ready");
    });
    const replicas = await json("replicas");
    assert.equal(replicas.length, 2);
    for (const r of replicas) {
      assert.match(r.id, /^[\w-]{12}$/);
      assert.equal(r.state, "ready");
      assert.ok(r.canaryMs >= 0 && Number.isInteger(r.orgs) && typeof r.positions === "string");
    }
    assert.match((await done("replicas")).out, /^ID +STATE +AGE +SEEN +CANARY +CLIENTS +USERS +ORGS +URL +VERSION\n[\w-]{12} +ready +\d+s/);
    client.disconnect();
  });
});

describe("outbox", () => {
  test("lists what is not published yet, and pushes it", async () => {
    assert.equal((await done("outbox", "--no-headers")).out, "");
    await stack.createTask();
    await until("it is published", async () => (await json("outbox")).length === 0);
    await stack.redisCall("SET", "tasks:hold:acme", "somebody");
    const id = await stack.createTask();
    const rows = await json("outbox");
    assert.deepEqual(rows.map((r) => [r.taskId, r.orgId]), [[id, "acme"]]);
    assert.match((await done("outbox")).out, new RegExp(`^ID +ORG +SINCE\n${id} +acme +\\d+s\n$`));
    await stack.redisCall("DEL", "tasks:hold:acme");
    assert.match((await done("outbox", "push", id)).out, new RegExp(`^ID +ORG +SEQ +PUBLISHED\n${id} +acme +1 +1\n$`));
    await until("it is marked", async () => (await json("outbox")).length === 0);
    const absent = await ctl("outbox", "push", "0123456789abcdef01234567");
    assert.deepEqual([absent.code, absent.err], [3, "taskctl: task 0123456789abcdef01234567: Not found\n"]);
  });
});

describe("dead letters", () => {
  const bury = (text) => stack.redisCall("XADD", "tasks:ingest", "*", "event", text);
  const buried = async (n) => until(`${n} are dead`, async () => (await json("dead", "list", "--all")).length === n);

  test("are listed with reasons, newest first, in pages or all", async () => {
    assert.deepEqual(await json("dead", "list"), []);
    const id = await stack.createTask();
    await bury("no JSON");
    await stack.publish("pr_closed", "0123456789abcdef01234567");
    await buried(2);
    await stack.publish("issue_closed", id);
    await buried(3);
    const letters = await json("dead", "list");
    assert.deepEqual(letters.map((l) => l.code), ["unknown_type", "not_found", "bad_json"]);
    assert.equal(letters[2].event, "no JSON");
    const { out } = await done("dead", "list");
    assert.match(out, /^ID +AGE +CODE +TYPE +TASK +REASON\n/);
    assert.match(out, /not_found +task\.pr_closed +0123456789abcdef01234567 +There is no such task/);
    assert.equal((await done("dead", "list", "-q", "-L", "2")).out.trim().split("\n").length, 2);
    assert.equal((await ctl("dead", "list", "-L", "0")).code, 2);
  });
  test("one is shown as it came", async () => {
    const [, , letter] = await json("dead", "list");
    assert.deepEqual(await json("dead", "show", letter.id), letter);
    assert.match((await done("dead", "show", letter.id)).out, /^ID: +\d+-\d+\nAge: +\d+s\nCode: +bad_json\nReason: .*\nEvent: +no JSON\n$/);
    for (const id of ["1-1", "nonsense", "../status"]) assert.equal((await ctl("dead", "show", id)).code, 3, id);
  });
  test("are sent in again, by id or all of a kind, oldest first", async () => {
    const id = await stack.createTask();
    const [{ id: letter }] = await json("dead", "list");
    const again = await json("dead", "retry", letter);
    assert.equal(again[0].result, "sent in again");
    await buried(3);
    assert.notEqual((await json("dead", "list"))[0].id, letter);
    // What is refused because its task does not exist is accepted once it does: made with a known id.
    await stack.publish("coding", id);
    await until("it is refused in time", async () => (await json("dead", "list")).some((l) => l.code === "illegal_move"), { ms: 20_000, every: 250 });
    await stack.publish("dispatched", id, { issueNumber: 1, issueUrl: "https://github.com/a/b/issues/1", githubBranch: "b" });
    await until("it is dispatched", async () => (await taskOf(id)).body.status === "dispatched");
    assert.equal((await json("dead", "retry", "--all", "--code", "illegal_move")).length, 1);
    await until("it is taken now", async () => (await taskOf(id)).body.status === "coding");
    assert.equal((await ctl("dead", "retry", "1-1")).code, 3);
    assert.equal((await ctl("dead", "retry")).code, 2);
    assert.equal((await ctl("dead", "retry", "1-1", "--all")).code, 2);
    assert.equal((await ctl("dead", "retry", "1-1", "--code", "x")).code, 2);
  });
  test("are dropped, all of them only when asked for", async () => {
    const [{ id: letter }] = await json("dead", "list");
    assert.match((await done("dead", "drop", letter)).out, new RegExp(`${letter} +dropped`));
    assert.equal((await ctl("dead", "show", letter)).code, 3);
    assert.equal((await ctl("dead", "drop", letter)).code, 3);
    assert.equal((await ctl("dead", "drop", "--all")).code, 2, "without a terminal it wants --yes");
    const no = await onTerminal(["dead", "drop", "--all"], { env, type: "n\n" });
    assert.equal(no.code, 1);
    assert.match(no.screen, /drop 2 inputs for good\? \[y\/N\]/);
    assert.equal((await json("dead", "list")).length, 2);
    assert.equal((await json("dead", "drop", "--all", "--code", "bad_json", "--yes")).length, 1);
    assert.equal((await onTerminal(["dead", "drop", "--all"], { env, type: "y\n" })).code, 0);
    assert.deepEqual(await json("dead", "list"), []);
  });
  test("a thousand of them are worked off, with progress on a terminal", async () => {
    for (let i = 0; i < 10; i++) await stack.redisCall("EVAL", "for i = 1, 120 do redis.call('XADD', 'tasks:ingest', '*', 'event', 'no ' .. i) end", "0");
    await until("1,200 are dead", async () => (await done("dead", "list", "--all", "-q")).out.split("\n").length === 1201, { ms: 60_000 });
    const { code, screen } = await onTerminal(["dead", "drop", "--all", "--yes", "-o", "ndjson"], { env });
    assert.equal(code, 0);
    assert.match(screen, /\r\x1b\[K1000 dead letters|\r\x1b\[K\d+ of 1200/);
    assert.deepEqual(await json("dead", "list"), []);
  });
});

describe("revocations", () => {
  const me = (token) => stack.call("GET", "/api/me", { token, base: stack.taskdUrl });
  test("a person, until it is taken back", async () => {
    const token = stack.token("eve", "acme", { iat: Math.floor(Date.now() / 1000) - 60 });
    const revocation = await json("revoke", "--person", "eve");
    assert.equal(revocation.sub, "eve");
    assert.equal((await me(token)).status, 401);
    assert.deepEqual((await json("revoke", "list")).map((r) => r.id), [revocation.id]);
    assert.match((await done("revoke", "list")).out, new RegExp(`^ID +ISSUED BEFORE +EXPIRES\n${revocation.id} +\\S+Z +\\S+Z\n$`));
    await done("revoke", "undo", revocation.id);
    assert.equal((await me(token)).status, 200);
    assert.equal((await ctl("revoke", "undo", revocation.id)).code, 3);
  });
  test("a person's tokens from before a time, kept until another", async () => {
    const until_ = new Date(Date.now() + 3600e3).toISOString();
    const r = await json("revoke", "--person", "max", "--before", "2020-01-01T00:00:00Z", "--until", until_);
    assert.deepEqual([r.issuedBefore, r.expiresAt], ["2020-01-01T00:00:00.000Z", until_]);
    assert.equal((await me(stack.token("max", "acme"))).status, 200);
  });
  test("a token by its id, or by itself from standard input: it never leaves this machine", async () => {
    const byId = stack.token("tom", "acme", { jti: "t-1" });
    await done("revoke", "--jti", "t-1");
    assert.equal((await me(byId)).status, 401);
    const token = stack.token("tim", "acme", { n: Math.random() });
    const { code, out, err } = await run([taskctl, "revoke", "--token", "-", "-o", "json"], { env, input: `${token}\n` });
    assert.equal(code, 0, err);
    const fingerprint = createHash("sha256").update(token.split(".").slice(0, 2).join(".")).digest("hex");
    assert.equal(JSON.parse(out).fingerprint, fingerprint);
    assert.equal((await me(token)).status, 401);
  });
  test("what is wrong is 2, what taskd refuses 1", async () => {
    assert.equal((await ctl("revoke")).code, 2);
    assert.equal((await ctl("revoke", "--person", "a", "--jti", "b")).code, 2);
    assert.equal((await ctl("revoke", "--jti", "b", "--before", "2020-01-01T00:00:00Z")).code, 2);
    assert.equal((await run([taskctl, "revoke", "--token", "-"], { env, input: "no token\n" })).code, 2);
    const { code, err } = await ctl("revoke", "--person", "a", "--before", "yesterday");
    assert.equal(code, 1);
    assert.match(err, /the revocation: A value is missing or not allowed/);
  });
});

describe("flags", () => {
  test("are overridden and let go", async () => {
    assert.deepEqual(await json("flags"), {});
    assert.match((await done("flags")).out, /^FLAG +VALUE\nFEATURE_WEBSOCKET_ENABLED +\(environment\)\n/);
    assert.deepEqual(await json("flags", "set", "rollout_percent=50", "DASHBOARD=off", "FEATURE_WEBSOCKET_ENABLED=on"),
      { FEATURE_WEBSOCKET_DASHBOARD: false, FEATURE_WEBSOCKET_ENABLED: true, FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 50 });
    assert.match((await done("flags")).out, /^FEATURE_WEBSOCKET_DASHBOARD +off\n/m);
    assert.match((await done("flags")).out, /^FEATURE_WEBSOCKET_ROLLOUT_PERCENT +50\n/m);
    assert.deepEqual(await json("flags", "unset", "rollout_percent", "enabled", "dashboard"), {});
  });
  test("what is none is 2", async () => {
    for (const words of [["set", "colour=blue"], ["set", "enabled"], ["set", "enabled=maybe"], ["set", "rollout_percent=101"], ["unset", "colour"], ["set"], ["unset"]]) {
      assert.equal((await ctl("flags", ...words)).code, 2, words.join(" "));
    }
    assert.deepEqual(await json("flags"), {});
  });
});

describe("token", () => {
  test("opens REST for whom it names, and no longer than it says", async () => {
    const token = (await done("token", "--sub", "ann", "--org", "acme", "--name", "Ann Example", "--admin", "--ttl", "5m")).out.trim();
    const { status, body } = await stack.call("GET", "/api/me", { token, base: stack.taskdUrl });
    assert.equal(status, 200);
    assert.deepEqual([body.sub, body.org, body.name, body.roles], ["ann", "acme", "Ann Example", ["admin"]]);
    assert.ok(Math.abs(Date.parse(body.expiresAt) - Date.now() - 300e3) < 5000);
    const plain = JSON.parse(Buffer.from((await done("token")).out.split(".")[1], "base64url"));
    assert.deepEqual([plain.sub, plain.org, plain.roles], ["dev", undefined, []]);
  });
  test("wants a secret, and names that are some", async () => {
    for (const [args, more] of [[["token", "--ttl", "0"]], [["token", "--ttl", "never"]]]) assert.equal((await run([taskctl, ...args], { env: { ...env, ...more } })).code, 2);
    const none = await run([taskctl, "token"], {});
    assert.equal(none.code, 1);
    assert.match(none.err, /JWT_SECRET is not set/);
    assert.equal((await ctl("token", "--sub", "not a sub")).code, 1);
    const short = await run([taskctl, "token"], { env: { JWT_SECRET: "short" } });
    assert.equal(short.code, 1);
    assert.ok(!short.err.includes("short "), "a secret is never shown");
  });
});

describe("version and help", () => {
  test("tell taskctl's version, and taskd's where one answers", async () => {
    const both = await json("version");
    for (const version of [both.taskctl, both.taskd]) assert.match(version, /^[\w.-]+$/);
    const alone = await run([taskctl, "version"], {});
    assert.deepEqual([alone.code, alone.out], [0, `taskctl:  ${both.taskctl}\n`]);
    assert.equal((await run([taskctl, "--version"], {})).code, 0);
    assert.equal((await run([taskctl, "version", "--taskd", "http://127.0.0.1:1"], { env })).code, 0);
  });
  test("help is data, on standard output; its absence a mistake", async () => {
    for (const args of [["help"], ["--help"], ["-h"], ["dead", "--help"]]) {
      const { code, out, err } = await run([taskctl, ...args], {});
      assert.deepEqual([code, err], [0, ""]);
      assert.match(out, /^taskctl: Taskwire's command line\n\nusage: /);
      for (const line of ["  124 ", "  TASKD_URL ", "  doctor "]) assert.ok(out.includes(line), line);
    }
    for (const args of [["help", "list"], ["list", "--help"], ["list", "-h", "nonsense"]]) {
      const { code, out } = await run([taskctl, ...args], {});
      assert.equal(code, 0);
      assert.match(out, /^taskctl list: .*\n\nusage: taskctl list \[OPTIONS\]\n[^]*examples:\n {2}# what is going on\n {2}taskctl list --active\n/);
    }
    const nothing = await run([taskctl], {});
    assert.deepEqual([nothing.code, nothing.out], [2, ""]);
    assert.match(nothing.err, /usage:/);
    for (const args of [["help", "lost"], ["lost"], ["dead"], ["list", "--lost"]]) {
      const { code, out, err } = await run([taskctl, ...args], {});
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, /^taskctl: .* See 'taskctl help/);
    }
  });
});

describe("publish", () => {
  test("says what a service would say, durably", async () => {
    const id = await stack.createTask();
    assert.match((await done("publish", "analyzing", id)).out, new RegExp(`^ENTRY +EVENT +TYPE +TASK\n\\d+-\\d+ +[0-9a-f]{32} +task\\.analyzing +${id}\n$`));
    await done("publish", "clarification_needed", id, "questions=Which door?", "questions=Which blue?");
    await until("it asks both", async () => (await taskOf(id)).body.questions?.length === 2);
    await done("publish", "failed", id, "errorMessage=It = broken", "--source", "/agent");
    await until("it failed", async () => (await taskOf(id)).body.status === "failed");
    const { events, errorMessage } = (await taskOf(id)).body;
    assert.equal(errorMessage, "It = broken");
    assert.deepEqual(events.map((e) => e.actor), ["ann", "/taskctl", "/taskctl", "/agent"]);
  });
  test("data may come as JSON, from a pipe too; an id makes it one event", async () => {
    const id = await stack.createTask();
    const data = JSON.stringify({ issueNumber: 42, issueUrl: "https://github.com/acme/house/issues/42", githubBranch: "blue" });
    const piped = await run([taskctl, "publish", "dispatched", id, "--data", "-", "--id", "once", "-o", "json"], { env, input: data });
    assert.equal(piped.code, 0, piped.err);
    assert.equal(JSON.parse(piped.out).id, "once");
    await done("publish", "dispatched", id, "--data", data, "--id", "once");
    await done("publish", "note", id, "text=after");
    await until("the note came", async () => (await taskOf(id)).body.events.at(-1).eventType === "note");
    assert.equal((await taskOf(id)).body.seq, 3);
    const dry = await done("publish", "note", id, "text=x", "--dry-run");
    assert.deepEqual(JSON.parse(dry.out).data, { text: "x" });
    assert.equal((await taskOf(id)).body.seq, 3);
  });
  test("what taskd would refuse is told here, and nothing is sent", async () => {
    const id = await stack.createTask();
    for (const words of [["created", id], ["lost", id], ["analyzing", "nobody"], ["dispatched", id], ["dispatched", id, "issueNumber=x"], ["note", id, "text"], ["note", id, "colour=blue"],
      ["note", id, "--data", "[]"], ["note", id, "--data", "{"], ["note", id, "text=x", "--data", "{}"], ["note", id, "text=", "--source", ""],
      ["dispatched", id, "issueNumber=1", "issueUrl=javascript:alert(1)", "githubBranch=b"]]) {
      const { code, out } = await ctl("publish", ...words);
      assert.deepEqual([code, out], [2, ""], words.join(" "));
    }
    assert.equal(await stack.redisCall("XLEN", "tasks:ingest"), "0");
  });
});

describe("simulate", () => {
  test("moves what it makes, and sums up", async () => {
    const { code, out, err } = await ctl("simulate", "--rate", "50", "--seconds", "4", "--org", "simulated");
    assert.equal(code, 0, err);
    assert.match(out, /^[0-9a-f]{24} analyzing$/m);
    const [, published, created] = err.match(/published=(\d+) repeated=\d+ created=(\d+)/).map(Number);
    assert.ok(published > 20 && created > 5, err);
    assert.ok((await done("list", "--org", "simulated", "-q")).out.split("\n").length > 5);
  });
  test("what is wrong is 2", async () => {
    assert.equal((await ctl("simulate", "--rate", "x")).code, 2);
    assert.equal((await ctl("simulate", "--taskd", "https://example.org")).code, 2);
    assert.equal((await ctl("simulate", "--redis", "http://example.org")).code, 2);
  });
});
