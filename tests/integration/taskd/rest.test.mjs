// rest.test.mjs - taskd's REST and /internal on its own port, without a gateway before it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, sign, sleep, until } from "../harness.mjs";

let stack, base;
before(async () => {
  stack = await Stack.start({ gateways: 0 });
  base = stack.taskdUrl;
});
after(() => stack.stop());

const as = (sub, org = "acme", extra) => ({ base, token: stack.token(sub, org, extra) });
const call = (method, target, options = {}) => stack.call(method, target, { base, ...options });
const create = (body, options = {}) => stack.createTask(body, { base, ...options });
const code = ({ status, body }) => [status, body.code];

test("a key makes one task, for ever the same answer, and no other body", async () => {
  const headers = { "Idempotency-Key": "form-1" };
  const body = { description: "Once" };
  const both = await Promise.all([call("POST", "/api/tasks", { body, headers }), call("POST", "/api/tasks", { body, headers })]);
  const again = await call("POST", "/api/tasks", { body, headers });
  for (const answer of [...both, again]) {
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.body, { taskId: again.body.taskId, status: "received", seq: 1 });
    assert.equal(answer.headers.get("location"), `/api/tasks/${again.body.taskId}`);
  }
  assert.deepEqual(code(await call("POST", "/api/tasks", { body: { description: "Other" }, headers })), [422, "key_reused"]);
  const other = await call("POST", "/api/tasks", { ...as("bob"), body, headers });
  assert.notEqual(other.body.taskId, again.body.taskId, "a key belongs to its person");
});

test("an edit needs the seq that was read, and a repeated one changes nothing twice", async () => {
  const id = await create();
  const edit = (headers, body = { title: "Better" }, who = {}) => call("PATCH", `/api/tasks/${id}`, { ...who, headers, body });
  assert.deepEqual(code(await edit({})), [428, "if_match_required"]);
  assert.deepEqual(code(await edit({ "If-Match": "1" })), [400, "bad_request"]);
  assert.deepEqual(code(await edit({ "If-Match": '"1"' }, {})), [422, "invalid"]);
  const first = await edit({ "If-Match": '"1"', "Idempotency-Key": "e" });
  assert.equal(first.status, 200);
  assert.equal(first.headers.get("etag"), '"2"');
  assert.equal(first.body.title, "Better");
  assert.deepEqual((await edit({ "If-Match": '"1"', "Idempotency-Key": "e" })).body, first.body);
  const late = await edit({ "If-Match": '"1"' });
  assert.deepEqual(code(late), [409, "conflict"]);
  assert.equal(late.body.task.seq, 2);
  assert.deepEqual(code(await edit({ "If-Match": '"2"' }, { isPrivate: true }, as("bob"))), [403, "forbidden"]);
  assert.equal((await edit({ "If-Match": '"2"' }, { title: "By Bob" }, as("bob"))).status, 200);
});

test("what one may not see is not there", async () => {
  const id = await create({ description: "Mine", isPrivate: true });
  for (const who of [as("bob"), as("eve", "other")]) {
    for (const [method, path, body, headers] of [
      ["GET", ""], ["GET", "/events"],
      ["PATCH", "", { title: "x" }, { "If-Match": '"1"' }], ["POST", "/clarify", { answers: ["x"] }],
    ]) assert.deepEqual(code(await call(method, `/api/tasks/${id}${path}`, { ...who, body, headers })), [404, "not_found"]);
    assert.ok(!(await call("GET", "/api/tasks", who)).body.tasks.some((t) => t.taskId === id));
  }
  for (const bad of ["x", "A".repeat(24), "a".repeat(24)]) assert.deepEqual(code(await call("GET", `/api/tasks/${bad}`)), [404, "not_found"]);
});

test("questions are answered once, with as many answers", async () => {
  const id = await create();
  const clarify = (answers, headers) => call("POST", `/api/tasks/${id}/clarify`, { body: { answers }, headers });
  const early = await clarify(["a"]);
  assert.deepEqual(code(early), [409, "illegal_move"]);
  assert.equal(early.body.task.status, "received");
  await stack.publish("analyzing", id);
  await stack.publish("clarification_needed", id, { questions: ["Which?", "When?"] });
  await until("it asks", async () => (await call("GET", `/api/tasks/${id}`)).body.status === "needs_clarification");
  assert.deepEqual(code(await clarify(["one"])), [422, "invalid"]);
  assert.deepEqual(code(await clarify(["one", "x".repeat(4001)])), [422, "invalid"]);
  const done = await clarify(["this", "now"], { "Idempotency-Key": "c" });
  assert.deepEqual([done.status, done.body], [202, { taskId: id, status: "analyzing", seq: 4 }]);
  assert.deepEqual((await clarify(["this", "now"], { "Idempotency-Key": "c" })).body, done.body);
  assert.deepEqual(code(await clarify(["this", "now"])), [409, "illegal_move"]);
});

test("a list is paged, filtered and searched, with its counts", async () => {
  const who = as("lena", "paging");
  const made = [];
  for (let i = 0; i < 7; i++) made.push(await create({ description: `Paint door ${i}`, isPrivate: i === 6 }, who));
  const seen = [];
  for (let cursor = ""; cursor !== undefined;) {
    const { status, body } = await call("GET", `/api/tasks?limit=3${cursor && `&cursor=${cursor}`}`, who);
    assert.equal(status, 200);
    seen.push(...body.tasks.map((t) => t.taskId));
    cursor = body.nextCursor;
  }
  assert.deepEqual(seen, [...made].reverse());
  const counts = await until("the counts are told", async () => {
    const { body } = await call("GET", "/api/tasks?limit=1", who);
    return body.activeCount === 6 && body.private.activeCount === 1 && body;
  });
  assert.ok(Number.isSafeInteger(counts.rev) && counts.rev > 1e15);
  const find = async (query, as_ = who) => (await call("GET", `/api/tasks?${query}`, as_)).body.tasks.length;
  assert.equal(await find("q=DOOR%203"), 1);
  assert.equal(await find("status=merged"), 0);
  assert.equal(await find("active=true&mine=true"), 7);
  assert.equal(await find("creator=lena", as("max", "paging")), 6);
  for (const bad of ["limit=0", "limit=101", "limit=x", "status=nope", "sort=title", "cursor=%21", "active=1", "q=%ff", "creator=a%2Fb"]) {
    assert.deepEqual(code(await call("GET", `/api/tasks?${bad}`, who)), [422, "invalid"], bad);
  }
});

test("a timeline is read from either end", async () => {
  const id = await create();
  for (let i = 1; i <= 40; i++) {
    assert.equal((await call("PATCH", `/api/tasks/${id}`, { body: { title: `t${i}` }, headers: { "If-Match": `"${i}"` } })).status, 200);
  }
  const seqs = async (query) => (await call("GET", `/api/tasks/${id}/events?${query}`)).body.events.map((e) => e.seq);
  assert.deepEqual(await seqs("after=3&limit=3"), [4, 5, 6]);
  assert.deepEqual(await seqs("before=10&limit=2"), [8, 9]);
  assert.deepEqual(await seqs("after=0&limit=2"), [1, 2]);
  assert.deepEqual(await seqs("limit=2"), [40, 41]);
  const { body, headers } = await call("GET", `/api/tasks/${id}`);
  assert.deepEqual(body.events.map((e) => e.seq), Array.from({ length: 41 }, (_, i) => i + 1));
  assert.equal((await call("GET", `/api/tasks/${id}`, { headers: { "If-None-Match": headers.get("etag") } })).status, 304);
});

test("requests that are none are refused in the order of what a stranger may learn", async () => {
  assert.deepEqual(code(await call("GET", "/api/nothing", { token: null })), [404, "not_found"]);
  const wrong = await call("DELETE", "/api/tasks", { token: null });
  assert.deepEqual(code(wrong), [405, "method"]);
  assert.equal(wrong.headers.get("allow"), "POST, GET, HEAD, OPTIONS");
  const stranger = await call("POST", "/api/tasks", { token: null, body: "nonsense" });
  assert.deepEqual(code(stranger), [401, "unauthorized"]);
  assert.equal(stranger.headers.get("www-authenticate"), "Bearer");
  assert.equal(stranger.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(code(await call("GET", "/api/me", { token: stack.token("ann", "acme", { exp: 1 }) })), [401, "token_expired"]);
  assert.deepEqual(code(await call("POST", "/api/tasks", { body: "x", headers: { "Content-Type": "text/plain" } })), [415, "media_type"]);
  assert.deepEqual(code(await call("POST", "/api/tasks", { body: "[1]" })), [400, "bad_request"]);
  assert.deepEqual(code(await call("POST", "/api/tasks", { body: {} })), [422, "invalid"]);
  const head = await fetch(`${base}/api/health`, { method: "HEAD" });
  assert.equal(head.status, 200);
});

test("gateways have a door of their own", async () => {
  const exp = Math.floor(Date.now() / 1000) + 50;
  const cluster = (extra) => sign({ sub: "gateway", aud: "taskd", exp, ...extra }, stack.clusterSecret);
  const who = as("kim", "door");
  const open = await create({ description: "Open" }, who);
  const own = await create({ description: "Own", isPrivate: true }, who);
  const ask = (path, token = cluster()) => call("GET", `/internal${path}`, { token });
  const task = (await ask(`/tasks/${open}`)).body.split("\n");
  assert.match(task[0], /^\d{16} \d{16}$/);
  assert.equal(task[1], `1 ${open} door 1 kim 0`);
  assert.equal(JSON.parse(task[2].slice("task ".length))[1].taskId, open);
  const org = await until("both are published", async () => {
    const lines = (await ask("/orgs/door")).body.split("\n");
    return lines[2] === "people kim" && lines;
  });
  assert.equal(org[1], `2 door ${open}:1`);
  assert.match(org[4], /^counts "activeCount":1,"completedCount":0,"failedCount":0,"rev":\d{16}$/);
  const mine = (await ask("/orgs/door/people/kim")).body.split("\n");
  assert.equal(mine[1], `2 door ${own}:1`);
  assert.equal(JSON.parse(`[${mine[2].slice("rows ".length)}]`)[0].taskId, own);
  const seqs = await call("POST", "/internal/seqs", { token: cluster(), body: { tasks: [open, "f".repeat(24)] } });
  assert.deepEqual(seqs.body, { [open]: 1 });

  const refused = [401, "unauthorized"];
  assert.deepEqual(code(await ask(`/tasks/${open}`, who.token)), refused);
  assert.deepEqual(code(await ask(`/tasks/${open}`, cluster({ aud: "other" }))), refused);
  assert.deepEqual(code(await ask(`/tasks/${open}`, cluster({ exp: exp + 3600 }))), refused);
  assert.deepEqual(code(await call("GET", "/api/me", { token: cluster() })), refused);
});

test("operators see dead letters, send one again, and drop one", async () => {
  const admin = as("op", "ops", { roles: ["admin"] });
  const id = await create();
  await stack.publish("nonsense", id);
  await stack.redisCall("XADD", "tasks:ingest", "*", "event", "no JSON");
  const list = () => call("GET", "/api/admin/dead-letters", admin).then((a) => a.body);
  const { deadLetters } = await until("both are dead", async () => { const l = await list(); return l.count === 2 && l; });
  assert.deepEqual(deadLetters.map((l) => l.code), ["bad_json", "unknown_type"]);
  assert.equal(deadLetters[0].event, "no JSON");
  assert.equal((await call("POST", `/api/admin/dead-letters/${deadLetters[1].id}/retry`, admin)).status, 202);
  await until("it is refused again", async () => { const l = await list(); return l.count === 2 && l.deadLetters[0].code === "unknown_type"; });
  assert.equal((await call("DELETE", `/api/admin/dead-letters/${deadLetters[0].id}`, admin)).status, 204);
  assert.equal((await list()).count, 1);
  assert.deepEqual(code(await call("DELETE", `/api/admin/dead-letters/${deadLetters[0].id}`, admin)), [404, "not_found"]);
  assert.deepEqual(code(await call("GET", "/api/admin/dead-letters")), [403, "forbidden"]);
  assert.equal((await call("GET", "/api/admin/status", admin)).body.ingest.isHolder, true);
});

test("what is stored while Redis is away is published when it is back, in order", async () => {
  const who = as("ray", "away");
  await stack.redis.kill9();
  await until("it is degraded", async () => (await call("GET", "/api/health", { token: null })).body.status === "degraded");
  assert.equal((await call("GET", "/api/health/ready", { token: null })).status, 200);
  const id = await create({ description: "Patience" }, who);
  for (let i = 1; i <= 40; i++) {              // more than a task keeps inside its document
    assert.equal((await call("PATCH", `/api/tasks/${id}`, { ...who, body: { title: `t${i}` }, headers: { "If-Match": `"${i}"` } })).status, 200);
  }
  assert.equal((await call("GET", "/api/tasks", who)).body.rev, 0);
  await sleep(100);
  await stack.startRedis();
  const log = await until("all is published", async () => {
    const lines = (await stack.redisCall("XRANGE", "tasks:log:away", "-", "+")).split("\n").filter((l) => l.startsWith("1 "));
    return lines.length === 41 && lines;
  });
  assert.deepEqual(log.map((l) => Number(l.split(" ")[3])), Array.from({ length: 41 }, (_, i) => i + 1));
  const { body } = await call("GET", "/api/tasks", who);
  assert.equal(body.activeCount, 1);
  assert.ok(body.rev > 1e15);
});
