// admin.test.mjs - revoked tokens, feature flags and replicas: what operators decide and see.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createHash } from "node:crypto";
import path from "node:path";
import { Stack, build, freePort, sign, sleep, until } from "../harness.mjs";

const now = () => Math.floor(Date.now() / 1000);
const hash = (token) => createHash("sha256").update(token.split(".").slice(0, 2).join(".")).digest("hex");

for (const store of ["sqlite", "mongo"]) describe(`over ${store}`, () => {
  let stack, base;
  before(async () => {
    stack = await Stack.start({ store, gateways: 0 });
    base = stack.taskdUrl;
  });
  after(() => stack.stop());

  const call = (method, target, options = {}) => stack.call(method, target, { base, ...options });
  const admin = () => ({ token: stack.token("op", "ops", { roles: ["admin"] }) });
  const code = ({ status, body }) => [status, body.code];
  const me = (token, at = base) => stack.call("GET", "/api/me", { base: at, token });
  const revoke = (body, at = base) => stack.call("POST", "/api/admin/revocations", { ...admin(), base: at, body });
  const restore = (id, at = base) => stack.call("DELETE", `/api/admin/revocations/${encodeURIComponent(id)}`, { ...admin(), base: at });
  const list = async () => (await call("GET", "/api/admin/revocations", admin())).body.revocations;
  const cluster = () => sign({ sub: "gateway", aud: "taskd", exp: now() + 50 }, stack.clusterSecret);
  const internal = async (target) => (await call("GET", `/internal${target}`, { token: cluster() })).body;
  const revoked = [401, "revoked"];

  /** What is said on the control channel while `act` runs. */
  async function heardDuring(act, count) {
    const log = `control-${Math.random()}`;
    const listener = stack.begin(log, ["redis-cli", "-p", String(stack.redisPort), "SUBSCRIBE", "tasks:control"]);
    const { readFile } = await import("node:fs/promises");
    const lines = async () => (await readFile(stack.log(log), "utf8")).split("\n");
    const said = async () => (await lines()).filter((l, i, all) => all[i - 1] === "tasks:control" && all[i - 2] === "message");
    await until("the listener is subscribed", async () => (await lines()).includes("subscribe"));
    try {
      await act();
      return await until(`${count} messages came`, async () => (await said()).length >= count && said());
    } finally {
      await listener.kill9();
    }
  }

  test("a person's tokens from before a moment open nothing, newer ones do", async () => {
    const old = stack.token("eve", "acme", { iat: now() - 100 });
    const undated = stack.token("eve", "acme", { iat: undefined });
    const fresh = stack.token("eve", "acme", { iat: now() - 10 });
    const other = stack.token("eva", "acme", { iat: now() - 100 });
    const issuedBefore = new Date((now() - 50) * 1000).toISOString();
    assert.equal((await me(old)).status, 200);
    const answer = await revoke({ sub: "eve", issuedBefore });
    assert.equal(answer.status, 201);
    const { id, expiresAt } = answer.body;
    assert.deepEqual(answer.body, { id, sub: "eve", issuedBefore, expiresAt });
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 30 * 86400e3) < 60e3, "thirty days where nothing was said");
    assert.deepEqual(code(await me(old)), revoked);
    assert.deepEqual(code(await me(undated)), revoked);
    assert.deepEqual(code(await stack.call("POST", "/api/tasks", { base, token: old, body: { description: "x" } })), revoked);
    for (const token of [fresh, other]) assert.equal((await me(token)).status, 200);
    assert.deepEqual((await list()).filter((r) => r.sub === "eve"), [answer.body]);
    assert.deepEqual((await internal("/revocations")).revocations, await list());
    assert.equal((await restore(id)).status, 204);
    assert.equal((await me(old)).status, 200);
    assert.deepEqual(code(await restore(id)), [404, "not_found"]);
  });

  test("one token is revoked by its jti or its hash, for as long as was said", async () => {
    const named = stack.token("jim", "acme", { jti: "token-1" }), twin = stack.token("jim", "acme", { jti: "token-2" });
    const bare = stack.token("joe", "acme", { nonce: "a" }), other = stack.token("joe", "acme", { nonce: "b" });
    assert.equal((await revoke({ jti: "token-1" })).body.id, "jti:token-1");
    const expiresAt = new Date(Date.now() + 2500).toISOString();
    assert.equal((await revoke({ fingerprint: hash(bare), expiresAt })).body.expiresAt, expiresAt);
    assert.deepEqual(code(await me(named)), revoked);
    assert.deepEqual(code(await me(bare)), revoked);
    assert.equal((await me(twin)).status, 200);
    assert.equal((await me(other)).status, 200);
    await until("it has expired", async () => (await me(bare)).status === 200);
    assert.ok(Date.now() >= Date.parse(expiresAt));
    assert.deepEqual((await list()).map((r) => r.id), ["jti:token-1"]);
    assert.equal((await restore("jti:token-1")).status, 204);
  });

  test("what is no revocation is refused, and only admins may", async () => {
    const soon = new Date(Date.now() + 60e3).toISOString();
    for (const bad of [{}, { sub: "a", jti: "b" }, { sub: 1 }, { sub: "a/b" }, { jti: "" }, { fingerprint: "abc" },
      { sub: "a", issuedBefore: "yesterday" }, { jti: "b", expiresAt: 5 }, { jti: "b", expiresAt: "2020-01-01T00:00:00Z" },
      { jti: "b", expiresAt: "2099-01-01T00:00:00Z" }]) {
      assert.deepEqual(code(await revoke(bad)), [422, "invalid"], JSON.stringify(bad));
    }
    for (const [method, target] of [["GET", "revocations"], ["POST", "revocations"], ["DELETE", "revocations/x"], ["GET", "flags"],
      ["PUT", "flags"], ["GET", "replicas"]]) {
      const body = ["POST", "PUT"].includes(method) ? { jti: "x", expiresAt: soon } : undefined;
      assert.deepEqual(code(await call(method, `/api/admin/${target}`, { body })), [403, "forbidden"], target);
    }
    for (const target of ["revocations", "flags"]) {
      assert.deepEqual(code(await call("GET", `/internal/${target}`, admin())), [401, "unauthorized"]);
    }
    assert.deepEqual(await list(), []);
  });

  test("decisions are told on the control channel", async () => {
    const body = { sub: "tom", issuedBefore: new Date(0).toISOString() };
    const said = await heardDuring(async () => {
      await revoke(body);
      await restore("sub:0:tom");
      await call("PUT", "/api/admin/flags", { ...admin(), body: { FEATURE_WEBSOCKET_ENABLED: null } });
    }, 3);
    const [word, json] = [said[0].slice(0, 10), JSON.parse(said[0].slice(10))];
    assert.equal(word, "1 revoked ");
    assert.deepEqual({ ...json, expiresAt: undefined }, { id: "sub:0:tom", ...body, expiresAt: undefined });
    assert.deepEqual(said.slice(1), ['1 restored {"id":"sub:0:tom"}', "1 flags"]);
  });

  test("a revocation outlives taskd, which is not ready before it knows", async () => {
    const token = stack.token("max", "acme", { jti: "outlives" });
    await revoke({ jti: "outlives" });
    await stack.taskd.kill9();
    await stack.startTaskd();
    assert.deepEqual(code(await me(token)), revoked);
    assert.equal((await restore("jti:outlives")).status, 204);
  });

  test("what is decided while Redis is away is in force here at once", async () => {
    const token = stack.token("ray", "acme", { jti: "away" });
    await stack.redis.kill9();
    await until("it is degraded", async () => (await call("GET", "/api/health", { token: null })).body.status === "degraded");
    assert.equal((await revoke({ jti: "away" })).status, 201);
    assert.deepEqual(code(await me(token)), revoked);
    await stack.startRedis();
    await until("Redis is back", async () => (await call("GET", "/api/health", { token: null })).body.status === "ok");
    assert.deepEqual(code(await me(token)), revoked);
    assert.equal((await restore("jti:away")).status, 204);
    assert.equal((await me(token)).status, 200);
  });

  if (store === "mongo") test("every taskd refuses at once, and within five seconds while Redis is away", async () => {
    const port = await freePort();
    const second = stack.begin("taskd-2", [path.join(build, "bin/taskd")],
      { ...stack.commonEnv, PORT: String(port), STORE_URL: stack.storeUrl });
    const there = `http://127.0.0.1:${port}`;
    await stack.ready(second, there);
    const token = stack.token("ned", "acme", { jti: "both" });
    assert.equal((await me(token, there)).status, 200);
    const decided = Date.now();
    await revoke({ jti: "both" });
    await until("the other refuses", async () => (await me(token, there)).status === 401, { ms: 2000, every: 5 });
    assert.ok(Date.now() - decided < 1000, "it was told, not polled");
    await restore("jti:both", there);
    await until("the first lets in", async () => (await me(token)).status === 200, { ms: 2000 });

    await stack.redis.kill9();
    await revoke({ jti: "both" });
    await until("the other has polled", async () => (await me(token, there)).status === 401, { ms: 8000 });
    await restore("jti:both");
    await until("and again", async () => (await me(token, there)).status === 200, { ms: 8000 });
    await stack.startRedis();
    await until("both hear again", async () => {
      await revoke({ jti: "both" });
      await sleep(100);
      const { status } = await me(token, there);
      await restore("jti:both");
      return status === 401;
    });
    // What could not be told, because commands found no way to Redis, is owed: told to be read again.
    await stack.redisCall("CLIENT", "KILL", "TYPE", "normal");
    const owed = Date.now();
    await revoke({ jti: "both" });
    await until("the other was told to read again", async () => (await me(token, there)).status === 401, { ms: 3000 });
    assert.ok(Date.now() - owed < 3000);
    await restore("jti:both");
    await until("it was told that, too", async () => (await me(token, there)).status === 200, { ms: 3000 });
    // What was missed by a channel that broke is read when it is there again.
    await stack.redisCall("CLIENT", "KILL", "TYPE", "pubsub");
    await revoke({ jti: "both" });
    await until("the other has read what it missed", async () => (await me(token, there)).status === 401, { ms: 5000 });
    await restore("jti:both");
    assert.equal((await second.stop()).code, 0);
  });

  test("flags are overridden one by one, and null takes an override away", async () => {
    const get = async () => (await call("GET", "/api/admin/flags", admin())).body;
    const put = (body) => call("PUT", "/api/admin/flags", { ...admin(), body });
    assert.deepEqual(await get(), { flags: {} });
    const first = await put({ FEATURE_WEBSOCKET_DASHBOARD: false, FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 10 });
    assert.equal(first.status, 200);
    assert.deepEqual(first.body, { flags: { FEATURE_WEBSOCKET_DASHBOARD: false, FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 10 } });
    await put({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 50, FEATURE_WEBSOCKET_TASK_DETAIL: true });
    assert.deepEqual((await put({ FEATURE_WEBSOCKET_DASHBOARD: null })).body,
      { flags: { FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 50, FEATURE_WEBSOCKET_TASK_DETAIL: true } });
    assert.deepEqual(await internal("/flags"), await get());
    for (const bad of [{ FEATURE_WEBSOCKET_ENABLED: 1 }, { FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 101 }, { FEATURE_WEBSOCKET_ROLLOUT_PERCENT: -1 },
      { FEATURE_WEBSOCKET_ROLLOUT_PERCENT: 10.5 }, { FEATURE_WEBSOCKET_ROLLOUT_PERCENT: true }, { FEATURE_WEBSOKET_ENABLED: false },
      { FEATURE_WEBSOCKET_ENABLED: false, other: null }]) {
      assert.deepEqual(code(await put(bad)), [422, "invalid"], JSON.stringify(bad));
    }
    assert.deepEqual((await put({})).body, await get());
    assert.deepEqual((await put({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: null, FEATURE_WEBSOCKET_TASK_DETAIL: null })).body, { flags: {} });
  });

  test("replicas are what their heartbeats say, however many keys there are beside", async () => {
    const get = async () => (await call("GET", "/api/admin/replicas", admin())).body.replicas;
    assert.deepEqual(await get(), []);
    await stack.redisCall("EVAL", "for i = 1, 3500 do redis.call('SET', 'tasks:seq:1:' .. i, 1, 'EX', 60) end", "0");
    await stack.redisCall("HSET", "tasks:replica:gw-b", "url", "http://127.0.0.1:1", "connections", "12", "version", "1234567");
    await stack.redisCall("HSET", "tasks:replica:gw-a", "url", "http://127.0.0.1:2", "started", "2026-11-21T02:00:00.000Z", "rate", "1.5");
    await stack.redisCall("SET", "tasks:replica:odd", "no hash", "EX", "60");
    assert.deepEqual(await get(), [
      { id: "gw-a", url: "http://127.0.0.1:2", started: "2026-11-21T02:00:00.000Z", rate: "1.5" },
      { id: "gw-b", url: "http://127.0.0.1:1", connections: 12, version: "1234567" },
    ]);
  });
});
