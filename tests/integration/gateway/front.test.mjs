// front.test.mjs - the gateway's HTTP: health, page, proxy, origins, demo sign-in, settings,
// and the drain.
import test from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { Stack, ask, build, freePort, sleep, until } from "../harness.mjs";

const SECRETS = { JWT_SECRET: "j".repeat(32), CLUSTER_SECRET: "c".repeat(32) };

function gatewayEnds(env, args = []) {
  return new Promise((done) => {
    execFile(path.join(build, "bin/gateway"), args, { env: { PATH: process.env.PATH, ...env }, timeout: 20_000 },
      (error, stdout, stderr) => done({ code: error ? error.code : 0, stdout, stderr }));
  });
}

test("bad settings stop the start with a sentence for each", async () => {
  const none = await gatewayEnds({});
  assert.equal(none.code, 1);
  assert.match(none.stderr, /JWT_SECRET is missing/);
  assert.match(none.stderr, /CLUSTER_SECRET is missing/);
  const equal = await gatewayEnds({ JWT_SECRET: "x".repeat(40), CLUSTER_SECRET: "x".repeat(40), PORT: "many" });
  assert.equal(equal.code, 1);
  assert.match(equal.stderr, /are equal/);
  assert.match(equal.stderr, /PORT/);
  assert.ok(!equal.stderr.includes("x".repeat(40)));
  const open = await gatewayEnds({ ...SECRETS, DEV_LOGIN: "true", BIND_ADDRESS: "0.0.0.0" });
  assert.match(open.stderr, /DEV_LOGIN .*refused/);
  const star = await gatewayEnds({ ...SECRETS, WEBSOCKET_CORS_ORIGIN: "*" });
  assert.match(star.stderr, /WEBSOCKET_CORS_ORIGIN/);
  const misspelt = await gatewayEnds({ CLUSTER_SECRET: SECRETS.CLUSTER_SECRET, FEATURE_WEBSOCKET_DASHBORD: "true" });
  assert.match(misspelt.stderr, /FEATURE_WEBSOCKET_DASHBORD/);
});

test("--settings lists every setting, --version says which", async () => {
  const { stdout } = await gatewayEnds({}, ["--settings"]);
  for (const name of ["PORT", "REDIS_URL", "JOINS_PER_SECOND", "DRAIN_SECONDS", "FEATURE_WEBSOCKET_ENABLED"])
    assert.match(stdout, new RegExp(`^${name}\t`, "m"));
  assert.match((await gatewayEnds({}, ["--version"])).stdout, /taskwire gateway/);
  assert.equal((await gatewayEnds({}, ["--nonsense"])).code, 2);
});

test("the page is served from memory, with its headers", async () => {
  const web = await mkdtemp(path.join(os.tmpdir(), "taskwire-web-"));
  await mkdir(path.join(web, "assets"));
  await writeFile(path.join(web, "index.html"), "<!doctype html><title>Taskwire</title>");
  await writeFile(path.join(web, "assets/index-abc123.js"), "export {};");
  await writeFile(path.join(web, ".secret"), "no");
  const stack = await Stack.start({ gatewayEnv: { WEB_ROOT: web } });
  try {
    const index = await fetch(`${stack.url}/`);
    assert.equal(index.status, 200);
    assert.match(index.headers.get("content-type"), /text\/html/);
    assert.equal(index.headers.get("cache-control"), "no-cache");
    assert.match(index.headers.get("content-security-policy"), /default-src 'none'/);
    assert.equal(index.headers.get("x-content-type-options"), "nosniff");
    const again = await fetch(`${stack.url}/`, { headers: { "If-None-Match": index.headers.get("etag") } });
    assert.equal(again.status, 304);
    const script = await fetch(`${stack.url}/assets/index-abc123.js`);
    assert.match(script.headers.get("cache-control"), /immutable/);
    assert.match(script.headers.get("content-type"), /javascript/);
    const route = await fetch(`${stack.url}/tasks/42`, { headers: { Accept: "text/html,*/*" } });
    assert.match(await route.text(), /Taskwire/);
    for (const missing of ["/assets/none.js", "/.secret", "/..%2f..%2fetc/passwd", "/%2e%2e/x"])
      assert.equal((await fetch(stack.url + missing)).status, 404, missing);
    assert.equal((await fetch(`${stack.url}/`, { method: "POST" })).status, 405);
  } finally {
    await stack.stop();
    await rm(web, { recursive: true });
  }
});

test("the page goes out in the form that its reader takes", async () => {
  const web = await mkdtemp(path.join(os.tmpdir(), "taskwire-web-"));
  const text = `console.log("${"x".repeat(4000)}");`;
  await mkdir(path.join(web, "assets"));
  await writeFile(path.join(web, "index.html"), "<!doctype html><title>Taskwire</title>");
  await writeFile(path.join(web, "assets/a-1.js"), text);
  await writeFile(path.join(web, "assets/a-1.js.br"), brotliCompressSync(text));
  await writeFile(path.join(web, "assets/a-1.js.gz"), gzipSync(text));
  await writeFile(path.join(web, "assets/lone.gz"), "a form of nothing is a file");
  const stack = await Stack.start({ gatewayEnv: { WEB_ROOT: web } });
  const get = (accepted, more = {}) => new Promise((done, fail) => {
    http.get(`${stack.url}/assets/a-1.js`, { headers: { ...(accepted && { "Accept-Encoding": accepted }), ...more } }, async (r) => {
      const parts = [];
      for await (const part of r) parts.push(part);
      done({ status: r.statusCode, headers: r.headers, body: Buffer.concat(parts) });
    }).on("error", fail);
  });
  try {
    const forms = { "gzip, deflate, br, zstd": ["br", brotliDecompressSync], "gzip, br;q=0": ["gzip", gunzipSync], "*": ["br", brotliDecompressSync],
      "identity": [undefined, (b) => b], "": [undefined, (b) => b] };
    for (const [accepted, [coding, open]] of Object.entries(forms)) {
      const got = await get(accepted);
      assert.equal(got.headers["content-encoding"], coding, accepted);
      assert.equal(open(got.body).toString(), text);
      assert.equal(got.headers.vary, "Accept-Encoding");
      assert.match(got.headers["content-type"], /javascript/);
      const again = await get(accepted, { "If-None-Match": got.headers.etag });
      assert.equal(again.status, 304);
      assert.equal(again.body.length, 0);
      assert.equal(again.headers["content-encoding"], undefined);
    }
    assert.notEqual((await get("br")).headers.etag, (await get("gzip")).headers.etag);
    for (const form of ["/assets/a-1.js.br", "/assets/a-1.js.gz"]) assert.equal((await fetch(stack.url + form)).status, 404);
    assert.equal((await fetch(`${stack.url}/assets/lone.gz`)).status, 200);
    for (const program of ["/api/nothing", "/socket.io/", "/dev/login", "/assets/nothing.js"])
      assert.doesNotMatch((await fetch(stack.url + program, { headers: { Accept: "text/html" } })).headers.get("content-type"), /html/, program);
    for (const place of ["/tasks/65f0c0ffee65f0c0ffee65f0", "/admin"])
      assert.match((await fetch(stack.url + place, { headers: { Accept: "text/html" } })).headers.get("content-type"), /html/, place);
  } finally {
    await stack.stop();
    await rm(web, { recursive: true });
  }
});

test("REST is passed on, and nothing of taskd's that is not for people", async () => {
  const stack = await Stack.start();
  try {
    assert.equal((await stack.call("GET", "/api/me")).body.sub, "ann");
    assert.equal((await stack.call("GET", "/api/tasks", { token: null })).status, 401);
    for (const hidden of ["/internal/tasks/x", "/api/internal/x", "/api/admin/flags", "/api/admin/revocations",
      "/api/%61dmin/flags", "/api/tasks/..%2f..%2finternal/seqs"])
      assert.equal((await stack.call("GET", hidden, { token: stack.token("root", "acme", { roles: ["admin"] }) })).status, 404, hidden);
    assert.equal((await stack.call("GET", "/api/admin/status", { token: stack.token("root", "acme", { roles: ["admin"] }) })).status, 200);
    const big = await stack.call("POST", "/api/tasks", { body: JSON.stringify({ description: "x".repeat(1 << 20) }) });
    assert.equal(big.status, 413);
    assert.deepEqual((await stack.call("GET", "/api/config")).body, { features: { websocket: true, dashboard: true, taskDetail: true } });
    assert.equal((await stack.call("GET", "/api/config", { token: null })).status, 401);
    await stack.taskd.stop();
    const away = await stack.call("GET", "/api/me");
    assert.equal(away.status, 503);
    assert.equal(away.headers.get("content-type"), "application/problem+json");
    assert.equal(away.body.code, "unavailable");
    await until("not ready without taskd", async () => (await stack.call("GET", "/api/health/ready")).status === 503);
    assert.equal((await stack.call("GET", "/api/health/live")).status, 200);
    const health = await stack.call("GET", "/api/health");
    assert.equal(health.status, 200);
    assert.equal(health.body.status, "degraded");
    await stack.startTaskd();
    await until("ready again", async () => (await stack.call("GET", "/api/health")).body.status === "ok");
  } finally {
    await stack.stop();
  }
});

test("several taskds: one that dies is passed over", async () => {
  const stack = await Stack.start();
  try {
    const dead = await freePort();
    const gateway = await stack.startGateway({ TASKD_URL: `http://127.0.0.1:${dead},${stack.taskdUrl}` });
    for (let i = 0; i < 10; i++) assert.equal((await stack.call("GET", "/api/me", { base: gateway.url })).status, 200);
    const socket = await stack.connect({ base: gateway.url });
    const id = await stack.createTask({ description: "x" }, { base: gateway.url });
    assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  } finally {
    await stack.stop();
  }
});

test("other pages' origins are kept out, the page's own and named ones are let in", async () => {
  const stack = await Stack.start({ gatewayEnv: { WEBSOCKET_CORS_ORIGIN: "https://tasks.example" } });
  try {
    const handshake = (origin) => fetch(`${stack.url}/socket.io/?EIO=4&transport=polling`, { headers: origin ? { Origin: origin } : {} });
    assert.equal((await handshake()).status, 200);
    assert.equal((await handshake(stack.url)).status, 200);
    const named = await handshake("https://tasks.example");
    assert.equal(named.status, 200);
    assert.equal(named.headers.get("access-control-allow-origin"), "https://tasks.example");
    assert.equal(named.headers.get("access-control-allow-credentials"), "true");
    const evil = await handshake("https://evil.example");
    assert.equal(evil.status, 403);
    await assert.rejects(stack.connect({ extraHeaders: { Origin: "https://evil.example" }, reconnection: false }));
    assert.ok((await stack.connect({ extraHeaders: { Origin: "https://tasks.example" } })).connected);
  } finally {
    await stack.stop();
  }
});

test("features that are off are refused in words", async () => {
  const stack = await Stack.start({ gatewayEnv: { FEATURE_WEBSOCKET_DASHBOARD: "false" } });
  try {
    const socket = await stack.connect();
    assert.equal((await ask(socket, "dashboard:join", {})).error.code, "feature_off");
    const off = await stack.startGateway({ FEATURE_WEBSOCKET_ROLLOUT_PERCENT: "0" });
    await assert.rejects(stack.connect({ base: off.url, reconnection: false }), (error) => error.data.code === "feature_off");
    assert.equal((await stack.call("GET", "/api/config", { base: off.url })).body.features.websocket, false);
  } finally {
    await stack.stop();
  }
});

test("the demo's sign-in gives tokens to local JSON requests alone", async () => {
  const stack = await Stack.start({ gatewayEnv: { DEV_LOGIN: "true" } });
  try {
    const login = (body, headers = { "Content-Type": "application/json" }) =>
      fetch(`${stack.url}/dev/login`, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });
    const good = await (await login({ sub: "ann", name: "Ann", org: "acme" })).json();
    assert.equal((await stack.call("GET", "/api/me", { token: good.token })).body.name, "Ann");
    const { people } = await (await fetch(`${stack.url}/dev/login`)).json();
    assert.deepEqual(people.map((p) => [p.sub, p.org, p.roles.join()]), [["ann", "demo", ""], ["bob", "demo", ""], ["olga", "demo", "admin"], ["eve", "other", ""]]);
    const tokens = await Promise.all(people.map(async (p) => (await (await login(p)).json()).token));
    const roles = await Promise.all(tokens.map(async (token) => (await stack.call("GET", "/api/me", { token })).body.roles));
    assert.deepEqual(roles, [[], [], ["admin"], []]);
    assert.equal((await login({ sub: "a/b" })).status, 422);
    assert.equal((await login("{")).status, 422);
    assert.equal((await login({ sub: "ann" }, { "Content-Type": "text/plain" })).status, 415);
    const plain = await stack.startGateway({ DEV_LOGIN: "false" });
    assert.notEqual((await fetch(`${plain.url}/dev/login`, { method: "POST" })).status, 200);
  } finally {
    await stack.stop();
  }
});

test("on SIGTERM clients are moved off, spread over time, and told nothing that keeps them away", async () => {
  const stack = await Stack.start({ gateways: 2 });
  try {
    const [leaving] = stack.gateways;
    const sockets = await Promise.all(Array.from({ length: 20 }, (_, i) =>
      stack.connect({ base: leaving.url, reconnection: false, token: stack.token(`p${i}`) })));
    const gone = [];
    for (const s of sockets) s.on("disconnect", (why) => gone.push({ why, at: Date.now() }));
    const began = Date.now();
    const end = leaving.stop();
    await until("all are moved off", () => gone.length === 20);
    assert.ok(gone.every((g) => g.why === "transport close"), JSON.stringify(gone[0]));
    assert.ok(gone.at(-1).at - gone[0].at > 300, "spread over time");
    assert.ok(Date.now() - began < 5000);
    assert.deepEqual(await end, { code: 0, signal: null });
  } finally {
    await stack.stop();
  }
});

test("a second SIGTERM ends the drain at once", async () => {
  const stack = await Stack.start();
  try {
    const slow = await stack.startGateway({ DRAIN_SECONDS: "600" });
    const sockets = await Promise.all(Array.from({ length: 5 }, (_, i) =>
      stack.connect({ base: slow.url, reconnection: false, token: stack.token(`p${i}`) })));
    slow.signal("SIGTERM");
    await sleep(300);
    assert.ok(sockets.some((s) => s.connected));
    assert.deepEqual(await slow.stop(3000), { code: 0, signal: null });
  } finally {
    await stack.stop();
  }
});
