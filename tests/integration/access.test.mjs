// Who may not come in, and what one may not see.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, ask, sign, sleep } from "./harness.mjs";

let stack;
before(async () => { stack = await Stack.start(); });
after(() => stack.stop());

const now = () => Math.floor(Date.now() / 1000);
const bad = () => ({
  "no token": undefined,
  "an empty token": "",
  "not a token": "nonsense",
  "another secret": sign({ sub: "ann", org: "acme", iat: now(), exp: now() + 60 }, "x".repeat(64)),
  "an expired token": stack.token("ann", "acme", { exp: now() - 1 }),
  "alg none": `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(JSON.stringify({ sub: "ann", exp: now() + 60 })).toString("base64url")}.`,
  "alg None with the signature of HS256": sign({ sub: "ann", exp: now() + 60 }, stack.secret, { alg: "None" }),
  "no exp": sign({ sub: "ann", org: "acme" }, stack.secret),
  "no sub": sign({ org: "acme", exp: now() + 60 }, stack.secret),
  "a sub with a slash": stack.token("ann/bob"),
  "the cluster's secret": sign({ sub: "ann", aud: "taskd", exp: now() + 60 }, stack.clusterSecret),
});

test("REST refuses bad tokens with 401 and a stable code", async () => {
  for (const [what, token] of Object.entries(bad())) {
    for (const base of [stack.url, stack.taskdUrl]) {
      const { status, body } = await stack.call("GET", "/api/tasks", { token: token ?? null, base });
      assert.equal(status, 401, what);
      assert.match(body.code, /^(unauthorized|token_expired)$/, what);
    }
  }
});

test("a socket is refused with connect_error", async () => {
  for (const [what, token] of Object.entries(bad())) {
    const error = await stack.connect({ token: token ?? null, reconnection: false }).then(() => null, (e) => e);
    assert.ok(error, `${what} came in`);
    assert.match(error.data?.code ?? "", /^(unauthorized|token_expired)$/, what);
  }
});

test("the connection ends when its token does", async () => {
  const client = await stack.connect({ token: stack.token("ann", "acme", { exp: now() + 2 }) });
  const reason = await new Promise((done) => client.on("disconnect", done));
  assert.equal(reason, "io server disconnect");
});

test("another org's task and another's private task are not there", async () => {
  const open = await stack.createTask({ description: "open" });
  const secret = await stack.createTask({ description: "mine alone", isPrivate: true });
  for (const [token, id] of [[stack.token("eve", "evil"), open], [stack.token("bob", "acme"), secret]]) {
    assert.equal((await stack.call("GET", `/api/tasks/${id}`, { token })).status, 404);
    assert.equal((await stack.call("GET", `/api/tasks/${id}/events`, { token })).status, 404);
    const client = await stack.connect({ token });
    const answer = await ask(client, "task:join", { taskId: id });
    assert.equal(answer.ok, false);
    assert.equal(answer.error.code, "not_found");
  }
  const bob = await stack.call("GET", "/api/tasks", { token: stack.token("bob", "acme") });
  assert.deepEqual(bob.body.tasks.map((t) => t.taskId), [open]);
  const ann = await stack.call("GET", "/api/tasks");
  assert.deepEqual(ann.body.tasks.map((t) => t.taskId).sort(), [open, secret].sort());
});

test("a private task's news reach its creator's dashboard alone", async () => {
  const ann = await stack.connect(), bob = await stack.connect({ token: stack.token("bob", "acme") });
  await ask(ann, "dashboard:join", {});
  await ask(bob, "dashboard:join", {});
  const id = await stack.createTask({ description: "mine", isPrivate: true });
  await stack.createTask({ description: "everybody's" });
  for (let i = 0; i < 200 && bob.log.filter((e) => e.name === "task:created").length < 1; i++) await sleep(25);
  assert.ok(ann.log.some((e) => e.name === "task:created" && e.payload.taskId === id));
  assert.ok(!bob.log.some((e) => JSON.stringify(e.args).includes(id)), "bob heard of it");
});

test("internal pages and foreign keys do not mix", async () => {
  const cluster = sign({ sub: "x", aud: "taskd", exp: now() + 30 }, stack.clusterSecret);
  assert.equal((await stack.call("GET", "/internal/orgs/acme", { base: stack.taskdUrl })).status, 401);
  assert.equal((await stack.call("GET", "/internal/orgs/acme", { base: stack.taskdUrl, token: cluster })).status, 200);
  assert.notEqual((await stack.call("GET", "/internal/orgs/acme", { token: cluster })).status, 200);
});

test("malformed messages are answered and harm nobody", async () => {
  const client = await stack.connect(), other = await stack.connect();
  for (const [payload, message] of [[{}, "taskId must be a non-empty string"], [{ taskId: "" }, "taskId must be a non-empty string"],
    [{ taskId: 7 }, "taskId must be a non-empty string"], ["text", "Invalid message format"], [null, "Invalid message format"], [[1], "Invalid message format"]]) {
    const answer = await ask(client, "task:join", payload);
    assert.deepEqual([answer.ok, answer.error.message], [false, message], JSON.stringify(payload));
    await sleep(110);                       // ten joins a second
  }
  client.emit("task:join", {});
  for (let i = 0; i < 200 && !client.log.some((e) => e.name === "error"); i++) await sleep(25);
  assert.equal(client.log.find((e) => e.name === "error").payload.message, "taskId must be a non-empty string");
  client.emit("no:such:event", {});
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(client, "task:join", { taskId: "65f0c0ffee65f0c0ffee65f0" })));
  assert.ok(answers.some((a) => a.error.message === "Too many requests"));
  assert.ok(other.connected);
});
