// operators.test.mjs - role admin sees every org on taskd's own port, and nowhere else (SPEC A2).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Stack, ask, until } from "../harness.mjs";

for (const store of ["sqlite", "mongo"]) describe(`over ${store}`, () => {
  let stack, open, secret, own, other;
  before(async () => {
    stack = await Stack.start({ store });
    open = await stack.createTask({ description: "Paint the door" }, { token: stack.token("ann", "acme") });
    secret = await stack.createTask({ description: "Paint it black", isPrivate: true }, { token: stack.token("bo", "acme") });
    other = await stack.createTask({ description: "Paint the shed" }, { token: stack.token("cy", "globex") });
    own = await stack.createTask({ description: "Watch the paint" }, { token: stack.token("op", "ops") });
    await stack.createTask({ description: "Another's namesake" }, { token: stack.token("op", "acme") });
  });
  after(() => stack.stop());

  const admin = (options) => ({ token: stack.token("op", "ops", { roles: ["admin"] }), ...options });
  const there = (options) => admin({ base: stack.taskdUrl, ...options });
  const ids = ({ status, body }) => (assert.equal(status, 200, JSON.stringify(body)), body.tasks.map((t) => t.taskId).sort());
  const sorted = (...list) => list.sort();

  test("on taskd's own port an admin reads any task and its timeline", async () => {
    for (const id of [open, secret, other, own]) {
      assert.equal((await stack.call("GET", `/api/tasks/${id}`, there())).body.taskId, id);
      assert.equal((await stack.call("GET", `/api/tasks/${id}/events`, there())).body.events.length, 1);
    }
  });

  test("and lists every org's, or one's, in either order, with words and in pages", async () => {
    const list = (query = "") => stack.call("GET", `/api/tasks?${query}`, there());
    assert.equal(ids(await list()).length, 5);
    assert.equal(ids(await list("sort=-updatedAt&active=true")).length, 5);
    const acme = await list("org=acme");
    assert.equal(ids(acme).length, 3);
    await until("the counts are acme's, as soon as all is published", async () => (await list("org=acme")).body.activeCount === 2);
    assert.deepEqual(ids(await list("q=paint%20door")), [open]);
    assert.deepEqual(ids(await list("q=paint&org=acme")), sorted(open, secret));
    assert.deepEqual(ids(await list("mine=true")), [own], "who has one's name in another org is somebody else");
    assert.deepEqual(ids(await list("creator=bo&status=received")), [secret]);
    assert.deepEqual(ids(await list("org=nobody")), []);
    const pages = [];
    for (let cursor = ""; cursor !== undefined;) {
      const page = await list(`limit=2${cursor && `&cursor=${cursor}`}`);
      pages.push(...page.body.tasks.map((t) => t.taskId));
      cursor = page.body.nextCursor;
    }
    assert.deepEqual(pages.sort(), ids(await list()));
    assert.equal((await list("org=a%2Fb")).status, 422);
  });

  test("may edit what they see, but not whose it is to see", async () => {
    const edit = (body) => stack.call("PATCH", `/api/tasks/${secret}`, there({ body, headers: { "If-Match": "*" } }));
    assert.equal((await edit({ title: "Black it is" })).status, 200);
    assert.equal((await edit({ isPrivate: false })).status, 403);
  });

  test("through a gateway an admin is a person like any other", async () => {
    for (const id of [open, secret, other]) {
      for (const target of [`/api/tasks/${id}`, `/api/tasks/${id}/events`]) assert.equal((await stack.call("GET", target, admin())).status, 404);
      const edit = await stack.call("PATCH", `/api/tasks/${id}`, admin({ body: { title: "Mine now" }, headers: { "If-Match": "*" } }));
      assert.equal(edit.status, 404);
    }
    assert.deepEqual(ids(await stack.call("GET", "/api/tasks", admin())), [own]);
    assert.deepEqual(ids(await stack.call("GET", "/api/tasks?org=ops", admin())), [own]);
    assert.equal((await stack.call("GET", "/api/tasks?org=acme", admin())).status, 403);
  });

  test("and nothing that a client writes hides the gateway", async () => {
    for (const headers of [{ Via: "1.1 nobody" }, { Connection: "via, keep-alive", Via: "1.1 nobody" }, { Via: "" }, { "X-Forwarded-For": "127.0.0.1" }]) {
      assert.equal(await raw(`/api/tasks/${open}`, headers), 404, JSON.stringify(headers));
    }
  });

  /** fetch() does not let one write every header. */
  async function raw(target, headers) {
    const http = await import("node:http");
    return new Promise((done, fail) => http.get(stack.url + target,
      { agent: false, headers: { Authorization: `Bearer ${admin().token}`, ...headers } }, (r) => { r.resume(); done(r.statusCode); }).on("error", fail));
  }

  test("nor live", async () => {
    const socket = await stack.connect({ token: admin().token });
    for (const taskId of [open, secret, other]) assert.equal((await ask(socket, "task:join", { taskId })).ok, false);
    assert.equal((await ask(socket, "dashboard:join", {})).ok, true);
    const state = socket.log.find(({ name }) => name === "dashboard:state").payload;
    assert.deepEqual(state.tasks.map((t) => t.taskId), [own]);
  });

  test("who is no admin sees their own org, on whatever port", async () => {
    const ann = (base) => ({ token: stack.token("ann", "acme"), base });
    for (const base of [stack.url, stack.taskdUrl]) {
      assert.equal((await stack.call("GET", `/api/tasks/${other}`, ann(base))).status, 404);
      assert.equal((await stack.call("GET", `/api/tasks/${secret}`, ann(base))).status, 404);
      assert.equal((await stack.call("GET", "/api/tasks?org=globex", ann(base))).status, 403);
      assert.equal(ids(await stack.call("GET", "/api/tasks?org=acme", ann(base))).length, 2);
    }
  });
});
