// notifications.test.mjs - what a task's creator is told: live on all their devices, kept until read.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { randomBytes } from "node:crypto";
import { Stack, sign, until } from "../harness.mjs";

const PULL = { prNumber: 43, prUrl: "https://github.com/acme/site/pull/43" };
const DISPATCH = { issueNumber: 42, issueUrl: "https://github.com/acme/site/issues/42", githubBranch: "fix-it" };

for (const store of ["sqlite", "mongo"]) describe(`over ${store}`, () => {
  let stack, base;
  before(async () => {
    stack = await Stack.start({ store, gateways: 2 });
    base = stack.taskdUrl;
  });
  after(() => stack.stop());

  const as = (sub, org = "acme") => ({ base, token: stack.token(sub, org) });
  const call = (method, target, options = {}) => stack.call(method, target, { base, ...options });
  const code = ({ status, body }) => [status, body.code];
  const unread = async (who, query = "") => (await call("GET", `/api/notifications${query}`, who)).body.notifications;
  const read = (who, ids, headers) => call("POST", "/api/notifications/read", { ...who, body: { ids }, headers });
  const status = (id, who, wanted) => until(`it is ${wanted}`, async () =>
    (await call("GET", `/api/tasks/${id}`, who)).body.status === wanted);
  const heard = (socket) => socket.log.filter((e) => e.name === "user:notification").map((e) => e.payload);

  test("a life is told on all devices over any gateway, to nobody else, and kept until read", async () => {
    const org = `life-${store}`;
    const ann = as("ann", org);
    const devices = await Promise.all(stack.gateways.map((g, i) =>
      stack.connect({ token: ann.token, base: g.url, transports: [i === 0 ? "websocket" : "polling"] })));
    const bob = await stack.connect({ token: stack.token("bob", org) });
    const foreign = await stack.connect({ token: stack.token("ann", "other") });
    const id = await stack.createTask({ description: "Paint the door" }, ann);
    for (const [input, data] of [
      ["analyzing"], ["clarification_needed", { questions: ["Which colour?", "When?"] }],
    ]) await stack.publish(input, id, data);
    await status(id, ann, "needs_clarification");
    assert.equal((await call("POST", `/api/tasks/${id}/clarify`, { ...ann, body: { answers: ["blue", "now"] } })).status, 202);
    for (const [input, data] of [
      ["dispatched", DISPATCH], ["coding"], ["pr_opened", { ...PULL, prState: "draft" }], ["pr_updated", { headSha: "beef" }],
      ["pr_updated", { prState: "open" }], ["pr_updated", { prState: "open", headSha: "cafe" }], ["pr_closed", {}],
      ["pr_opened", PULL], ["pr_merged", { mergeCommitSha: "c0ffee" }],
    ]) await stack.publish(input, id, data);
    await status(id, ann, "merged");

    const wanted = [
      { id: `${id}:3:needs_answer`, kind: "needs_answer", taskId: id, title: "Paint the door", message: "Which colour? (and 1 more)" },
      { id: `${id}:9:pr_ready`, kind: "pr_ready", taskId: id, title: "Paint the door",
        message: "Pull request #43 is ready for review: Paint the door", url: PULL.prUrl },
      { id: `${id}:11:failed`, kind: "failed", taskId: id, title: "Paint the door",
        message: "Pull request #43 was closed without being merged", url: PULL.prUrl },
      { id: `${id}:12:pr_ready`, kind: "pr_ready", taskId: id, title: "Paint the door",
        message: "Pull request #43 is ready for review: Paint the door", url: PULL.prUrl },
      { id: `${id}:13:merged`, kind: "merged", taskId: id, title: "Paint the door",
        message: "Pull request #43 was merged", url: PULL.prUrl },
    ];
    for (const device of devices) {
      await until("the device heard of all", () => heard(device).length >= wanted.length);
      assert.deepEqual(heard(device).map(({ createdAt, ...rest }) => rest), wanted);
      for (const n of heard(device)) assert.match(n.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    assert.deepEqual(await unread(ann), heard(devices[0]).reverse(), "what is kept is what was told");
    assert.deepEqual(heard(bob).concat(heard(foreign)), []);
    assert.deepEqual(await unread(as("bob", org)), []);
    assert.deepEqual(await unread(as("ann", "other")), []);
    const page = await unread(ann, "?limit=2");
    assert.deepEqual(page.map((n) => n.kind), ["merged", "pr_ready"]);
  });

  test("one reads one's own, once or twice, and what is unknown is passed over", async () => {
    const ann = as("ann", "reading"), bob = as("bob", "reading");
    const made = [];
    for (let i = 0; i < 3; i++) {
      const id = await stack.createTask({ description: `Task ${i}`, isPrivate: i === 1 }, ann);
      await stack.publish("failed", id, { errorMessage: `no luck ${i}` });
      made.push(`${id}:2:failed`);
    }
    await until("all are kept", async () => (await unread(ann)).length === 3);
    assert.deepEqual((await unread(ann)).map((n) => n.id), made.toReversed());
    assert.equal((await read(bob, made)).status, 204);
    assert.equal((await read(as("ann", "other"), made)).status, 204);
    assert.equal((await unread(ann)).length, 3);
    for (let i = 0; i < 2; i++) assert.equal((await read(ann, [made[1], "never was"], { "Idempotency-Key": "r" })).status, 204);
    assert.deepEqual((await unread(ann)).map((n) => n.id), [made[2], made[0]]);

    const exp = Math.floor(Date.now() / 1000) + 50;
    const token = sign({ sub: "gateway", aud: "taskd", exp }, stack.clusterSecret);
    const through = (body, t = token) => call("POST", "/internal/notifications/read", { token: t, body });
    assert.equal((await through({ org: "reading", sub: "bob", ids: [made[2]] })).status, 204);
    assert.equal((await unread(ann)).length, 2);
    assert.equal((await through({ org: "reading", sub: "ann", ids: [made[2]] })).status, 204);
    assert.deepEqual((await unread(ann)).map((n) => n.id), [made[0]]);
    for (const bad of [{}, { org: "reading", ids: [made[0]] }, { org: "a/b", sub: "ann", ids: [made[0]] },
      { org: "reading", sub: "ann", ids: [] }, { org: "reading", sub: "ann", ids: [1] }]) {
      assert.deepEqual(code(await through(bad)), [422, "invalid"]);
    }
    assert.deepEqual(code(await through({ org: "reading", sub: "ann", ids: [made[0]] }, ann.token)), [401, "unauthorized"]);
    for (const ids of [undefined, "x", [], [""], Array(201).fill("x"), ["x".repeat(129)]]) {
      assert.deepEqual(code(await read(ann, ids)), [422, "invalid"]);
    }
    assert.deepEqual(code(await call("GET", "/api/notifications", { token: null })), [401, "unauthorized"]);
  });

  test("pages go on where the last one ended, whatever is read or comes meanwhile", async () => {
    const who = as("pia", "paging");
    const fail = async (i) => {
      const id = await stack.createTask({ description: `Task ${i}` }, who);
      await stack.publish("failed", id, { errorMessage: `${i}` });
    };
    for (let i = 0; i < 7; i++) await fail(i);
    await until("all are kept", async () => (await unread(who)).length === 7);
    const all = (await unread(who)).map((n) => n.id);
    const seen = [];
    for (let cursor = ""; cursor !== undefined;) {
      const { body } = await call("GET", `/api/notifications?limit=3${cursor && `&cursor=${cursor}`}`, who);
      seen.push(...body.notifications.map((n) => n.id));
      cursor = body.nextCursor;
      if (seen.length === 3) {
        await fail(7);
        await until("a new one came", async () => (await unread(who)).length === 8);
        await read(who, seen);
      }
    }
    assert.deepEqual(seen, all);
    for (const bad of ["limit=0", "limit=101", "cursor=%21", "cursor=bi4x", "cursor=bi4xLg"]) {
      assert.deepEqual(code(await call("GET", `/api/notifications?${bad}`, who)), [422, "invalid"], bad);
    }
  });

  test("an act in one's own name is no news to oneself", async () => {
    const who = as("sue", "self");
    const id = await stack.createTask({ description: "Mine" }, who);
    await stack.redisCall("XADD", "tasks:ingest", "*", "event", stack.event("failed", id, { errorMessage: "enough" }, { source: "sue" }));
    const other = await stack.createTask({ description: "Other" }, who);
    await stack.publish("failed", other, { errorMessage: "no" });
    await until("the other is kept", async () => (await unread(who)).length > 0);
    assert.deepEqual((await unread(who)).map((n) => n.taskId), [other]);
    assert.equal((await call("GET", `/api/tasks/${id}`, who)).body.status, "failed");
  });

  test("a notification is there when its event is heard, and once, though taskd dies", async () => {
    const who = as("kay", `crash-${store}`);
    const socket = await stack.connect({ token: who.token });
    const missing = [];
    socket.on("user:notification", async (n) => {
      if (!(await unread(who).catch(() => [n])).some((k) => k.id === n.id)) missing.push(n.id);
    });
    const ids = [];
    for (let i = 0; i < 10; i++) ids.push(await stack.createTask({ description: `Task ${i}` }, who));
    for (const id of ids) await stack.publish("failed", id, { errorMessage: randomBytes(4).toString("hex") });
    await until("some are told", () => heard(socket).length >= 1);
    await stack.taskd.kill9();
    await stack.startTaskd();
    await until("all are kept", async () => (await unread(who)).length === 10, { ms: 30_000 });
    assert.deepEqual((await unread(who)).map((n) => n.taskId).sort(), [...ids].sort());
    assert.deepEqual(missing, []);
  });
});
