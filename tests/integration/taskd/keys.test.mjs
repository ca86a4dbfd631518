// keys.test.mjs - Idempotency-Key: the same request sent twice has one effect and one answer.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { Stack, until } from "../harness.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 0 }); });
after(() => stack.stop());

const call = (method, target, options = {}) => stack.call(method, target, { base: stack.taskdUrl, ...options });
const create = (body) => stack.createTask(body, { base: stack.taskdUrl });
const code = ({ status, body }) => [status, body.code];
const newKey = () => randomBytes(8).toString("hex");
const edit = (id, key, body, match = "*", extra = {}) => call("PATCH", `/api/tasks/${id}`, { body, headers: { "Idempotency-Key": key, "If-Match": match }, ...extra });

test("ten edits at once with one key are one edit", async () => {
  const id = await create(), key = newKey();
  const answers = await Promise.all(Array.from({ length: 10 }, () => edit(id, key, { title: "Once" }, '"1"')));
  for (const { status, body, headers } of answers) {
    assert.equal(status, 200);
    assert.deepEqual([body.seq, body.title, headers.get("etag")], [2, "Once", '"2"']);
  }
  assert.equal((await call("GET", `/api/tasks/${id}`)).body.seq, 2);
});

test("the answer stays what it was while the task moves on, and when taskd was killed", async () => {
  const id = await create(), key = newKey();
  const first = await edit(id, key, { title: "First" }, '"1"');
  await edit(id, newKey(), { title: "Second" });
  const made = newKey();
  const created = await call("POST", "/api/tasks", { body: { description: "Kept" }, headers: { "Idempotency-Key": made } });
  await stack.taskd.kill9();
  await stack.startTaskd();
  const again = await edit(id, key, { title: "First" }, '"1"');
  assert.deepEqual([again.status, again.body, again.headers.get("etag")], [200, first.body, '"2"']);
  const createdAgain = await call("POST", "/api/tasks", { body: { description: "Kept" }, headers: { "Idempotency-Key": made } });
  assert.deepEqual([createdAgain.status, createdAgain.body, createdAgain.headers.get("location")], [202, created.body, created.headers.get("location")]);
  assert.equal((await call("GET", `/api/tasks/${id}`)).body.title, "Second");
});

test("a key is for one request of one person", async () => {
  const id = await create(), key = newKey();
  assert.equal((await edit(id, key, { title: "Mine" })).status, 200);
  assert.deepEqual(code(await edit(id, key, { title: "Other" })), [422, "key_reused"]);
  assert.deepEqual(code(await edit(await create(), key, { title: "Mine" })), [422, "key_reused"]);
  assert.deepEqual(code(await call("POST", "/api/tasks", { body: { title: "Mine" }, headers: { "Idempotency-Key": key } })), [422, "key_reused"]);
  assert.equal((await edit(id, key, { title: "Bob's" }, "*", { token: stack.token("bob") })).status, 200);
});

test("a refusal had no effect, and is not kept", async () => {
  const id = await create(), key = newKey();
  assert.deepEqual(code(await edit(id, key, { title: "" })), [422, "invalid"]);
  assert.deepEqual(code(await edit(id, key, { title: "Late" }, '"9"')), [409, "conflict"]);
  assert.deepEqual(code(await edit("f".repeat(24), key, { title: "Lost" })), [404, "not_found"]);
  assert.equal((await edit(id, key, { title: "Mended" })).body.title, "Mended");
});

test("a key is 1 to 255 printable characters", async () => {
  for (const key of ["x".repeat(256), "", "t\u00e4sk", "a\tb"]) {
    assert.deepEqual(code(await call("POST", "/api/tasks", { body: { description: "x" }, headers: { "Idempotency-Key": key } })), [400, "bad_request"], key.slice(0, 9));
  }
  for (const key of ["x".repeat(255), "~", '"quoted, as a draft has it"']) {
    assert.equal((await call("POST", "/api/tasks", { body: { description: "x" }, headers: { "Idempotency-Key": key } })).status, 202);
  }
});

test("an operator's retry, too, is one", async () => {
  const admin = stack.token("op", "ops", { roles: ["admin"] });
  await stack.redisCall("XADD", "tasks:ingest", "*", "event", "no JSON");
  const list = async () => (await call("GET", "/api/admin/dead-letters", { token: admin })).body;
  const { deadLetters: [letter] } = await until("it is dead", async () => { const l = await list(); return l.count === 1 && l; });
  const retry = () => call("POST", `/api/admin/dead-letters/${letter.id}/retry`, { token: admin, headers: { "Idempotency-Key": "retry" } });
  const first = await retry();
  assert.equal(first.status, 202);
  await until("it is dead again", async () => { const l = await list(); return l.count === 1 && l.deadLetters[0].id !== letter.id; });
  assert.deepEqual((await retry()).body, first.body);
  assert.equal((await list()).count, 1);
});
