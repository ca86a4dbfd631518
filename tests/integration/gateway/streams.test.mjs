// streams.test.mjs - tasks and dashboards as Server-Sent Events: the same as sockets are told, for
// curl and proxies; and back from where one was, whoever was killed (SPEC A1, A2, C1).
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Stack, ask, freePort, sleep, until } from "../harness.mjs";
import { Follower, openStream } from "./reader.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2, gatewayEnv: { JOINS_PER_SECOND: "0", PING_INTERVAL_MS: "400", WEBSOCKET_CORS_ORIGIN: "https://page.example" } }); });
after(async () => { await stack.stop(); });

const open = (target, options = {}) => openStream(options.base ?? stack.url, target, { token: stack.token(), ...options });
const names = (stream) => stream.events.map((e) => e.name).filter((name) => name !== "task:presence");
const note = (id, text = "x") => stack.publish("note", id, { text });
let orgs = 0;
const newOrg = () => `streams-${++orgs}`;

async function patch(id, body, token) {
  const { headers } = await stack.call("GET", `/api/tasks/${id}`, { token });
  assert.equal((await stack.call("PATCH", `/api/tasks/${id}`, { token, body, headers: { "If-Match": headers.get("etag") } })).status, 200);
}

test("curl follows a task", async () => {
  const id = await stack.createTask();
  const curl = spawn("curl", ["-sN", "-H", `Authorization: Bearer ${stack.token()}`, `${stack.url}/api/tasks/${id}/stream`]);
  let text = "";
  curl.stdout.on("data", (data) => { text += data; });
  await until("the state is there", () => text.includes("event: task:state\n"));
  await note(id, "grüße");
  await until("and what comes after", () => text.includes("grüße"));
  assert.match(text, /^retry: \d+\n\nevent: task:state\nid: \d+-\d+\.999\ndata: \{.*\}\n\n/);
  assert.match(text, /event: task:event_added\nid: \d+-\d+\.\d+\ndata: \{.*grüße.*\}\n\n/);
  curl.kill();
  await once(curl, "exit");
});

test("a stream says what sockets in the same rooms are told", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const id = await stack.createTask({ description: "both ways" }, { token });
  const socket = await stack.connect({ token });
  const task = await open(`/api/tasks/${id}/stream`, { token }), dash = await open("/api/dashboard/stream", { token });
  assert.equal(task.status, 200);
  assert.equal(task.headers["content-type"], "text/event-stream");
  assert.equal(task.headers["cache-control"], "no-store");
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok && (await ask(socket, "dashboard:join", {})).ok);
  await stack.publish("dispatched", id, { issueNumber: 4, issueUrl: "https://github.com/a/b/issues/4", githubBranch: "x" });
  await until("it is dispatched", () => names(task).includes("task:dispatched"));
  await patch(id, { isPrivate: true }, token);
  await note(id);
  await until("all is said", () => [task, dash].every((s) => s.events.some((e) => e.payload.seq === 4)));
  await until("and the counts", () => dash.events.filter((e) => e.name === "dashboard:task_count_changed").length === 2);
  const both = [...task.events, ...dash.events].filter((e) => e.name !== "task:presence").map((e) => [e.name, e.payload]);
  const key = (e) => JSON.stringify(e);
  await until("the socket has it", () => socket.log.filter((e) => e.name !== "user:notification").length === both.length);
  assert.deepEqual(socket.log.map((e) => [e.name, e.payload]).map(key).sort(), both.map(key).sort());
  const ids = [...task.events, ...dash.events].filter((e) => !["task:presence", "task:state", "dashboard:state"].includes(e.name)).map((e) => e.id);
  assert.deepEqual(new Set(ids), new Set(socket.log.slice(2).map((e) => e.args.at(-1))));
  for (const s of [task, dash]) s.close();
});

test("what is refused is refused by its status, with problem details", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const hidden = await stack.createTask({ description: "hidden", isPrivate: true }, { token });
  const path = (id) => `/api/tasks/${id}/stream`;
  const cases = [
    [401, "unauthorized", path(hidden), { token: "" }],
    [401, "unauthorized", `${path(hidden)}?token=${token}`, { token: "" }],
    [401, "token_expired", path(hidden), { token: stack.token("ann", org, { exp: 1000 }) }],
    [404, "not_found", path(hidden), { token: stack.token("bob", org) }],
    [404, "not_found", path(hidden), { token: stack.token("bob", org), lastId: "1-1.0" }],
    [404, "not_found", path("f".repeat(24)), { token }],
    [404, "not_found", path("nothing"), { token }],
    [403, "forbidden", path(hidden), { token, headers: { Origin: "https://evil.example" } }],
    [405, "method", path(hidden), { token, method: "DELETE" }],
  ];
  for (const [status, code, target, options] of cases) {
    const s = await open(target, options);
    await s.ended;
    assert.deepEqual([s.status, JSON.parse(s.body).code], [status, code], target);
  }
  const head = await open(path(hidden), { token, method: "HEAD" });
  assert.equal(await head.ended, "end");
  assert.deepEqual([head.status, head.headers["content-type"], head.events.length, head.retry], [200, "text/event-stream", 0, null]);
  assert.equal((await open(path(hidden), { token: stack.token("bob", org), method: "HEAD" })).status, 404);
  const method = await open(path(hidden), { token, method: "POST" });
  assert.equal(method.headers.allow, "GET, HEAD, OPTIONS");
});

test("pages of named origins may read it, others not", async () => {
  const Origin = "https://page.example";
  const preflight = await open("/api/dashboard/stream", { token: "", method: "OPTIONS", headers: { Origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization" } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-origin"], Origin);
  assert.match(preflight.headers["access-control-allow-headers"], /Authorization/);
  const stream = await open("/api/dashboard/stream", { headers: { Origin } });
  assert.deepEqual([stream.status, stream.headers["access-control-allow-origin"], stream.headers["access-control-allow-credentials"], stream.headers.vary], [200, Origin, "true", "Origin"]);
  stream.close();
  const refused = await open("/api/dashboard/stream", { token: "", headers: { Origin } });
  assert.deepEqual([refused.status, refused.headers["access-control-allow-origin"]], [401, Origin]);
  const evil = await open("/api/dashboard/stream", { token: "", method: "OPTIONS", headers: { Origin: "https://evil.example" } });
  assert.equal(evil.headers["access-control-allow-origin"], undefined);
});

test("limits and features hold for streams, too", async () => {
  const gateway = await stack.startGateway({ JOINS_PER_SECOND: "2", CONNECTIONS_PER_USER: "2", FEATURE_WEBSOCKET_TASK_DETAIL: "false" });
  const base = gateway.url, token = stack.token("eager", newOrg());
  const streams = await Promise.all(Array.from({ length: 8 }, () => open("/api/dashboard/stream", { base, token })));
  assert.equal(streams.filter((s) => s.status === 200).length, 2);
  const refused = streams.filter((s) => s.status !== 200);
  assert.ok(refused.every((s) => s.status === 429 && s.headers["retry-after"] === "1"));
  await until("their bucket is full again", async () => {
    const third = await open("/api/dashboard/stream", { base, token });
    await third.ended;
    assert.equal(third.status, 429);
    return JSON.parse(third.body).code === "too_many_connections";
  });
  streams.find((s) => s.status === 200).close();
  await until("there is a place again", async () => {
    const third = await open("/api/dashboard/stream", { base, token });
    third.close();
    return third.status === 200;
  }, { every: 600 });
  for (const s of streams) s.close();
  const off = await open(`/api/tasks/${"f".repeat(24)}/stream`, { base });
  await off.ended;
  assert.deepEqual([off.status, JSON.parse(off.body).code], [403, "feature_off"]);
  stack.gateways.splice(stack.gateways.indexOf(gateway), 1);
  assert.equal((await gateway.stop()).code, 0);
});

test("back by Last-Event-ID: what was missed, once, at another gateway", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const id = await stack.createTask({ description: "missed" }, { token });
  const first = await open(`/api/tasks/${id}/stream`, { token });
  await note(id);
  await until("one is heard", () => names(first).length === 2);
  first.close();
  for (let i = 0; i < 5; i++) await note(id);
  await until("they are published", async () => (await stack.call("GET", `/api/tasks/${id}`, { token })).body.seq === 7);
  const second = await open(`/api/tasks/${id}/stream`, { token, lastId: first.lastId, base: stack.gateways[1].url });
  await note(id);
  await until("what was missed and what comes", () => names(second).length >= 6);
  assert.deepEqual(second.events.filter((e) => e.name !== "task:presence").map((e) => [e.name, e.payload.seq]), [3, 4, 5, 6, 7, 8].map((seq) => ["task:event_added", seq]));
  second.close();
  const third = await open(`/api/tasks/${id}/stream`, { token, lastId: second.lastId });
  await sleep(300);
  assert.deepEqual([third.status, names(third)], [200, []], "nothing was missed");
  await note(id);
  await until("it goes on", () => third.events.some((e) => e.name === "task:event_added" && e.payload.seq === 9));
  third.close();
});

test("where the log does not reach back a fresh state comes", async () => {
  const org = newOrg(), token = stack.token("ann", org);
  const id = await stack.createTask({ description: "forgotten" }, { token });
  const first = await open(`/api/tasks/${id}/stream`, { token }), board = await open("/api/dashboard/stream", { token });
  await note(id);
  await until("all is heard", () => names(first).length === 2 && board.events.length === 2);
  const { lastId } = first;
  for (const s of [first, board]) s.close();
  for (const odd of ["nonsense", "1-1.0", "99999999999999999-99999999999999999.0", `${"9".repeat(30)}-1.0`]) {
    const s = await open(`/api/tasks/${id}/stream`, { token, lastId: odd });
    await until(`a state instead of ${odd}`, () => names(s).length > 0);
    assert.deepEqual([names(s), s.events[0].payload.seq], [["task:state"], 2]);
    s.close();
  }
  await stack.redisCall("XTRIM", `tasks:log:${org}`, "MAXLEN", "0");
  for (let i = 0; i < 3; i++) await note(id);
  await until("they are published", async () => (await stack.call("GET", `/api/tasks/${id}`, { token })).body.seq === 5);
  await stack.redisCall("XTRIM", `tasks:log:${org}`, "MAXLEN", "1");
  const task = await open(`/api/tasks/${id}/stream`, { token, lastId }), dash = await open("/api/dashboard/stream", { token, lastId: board.lastId });
  await until("states come", () => names(task).length > 0 && names(dash).length > 0);
  assert.deepEqual([task.events[0].name, task.events[0].payload.seq], ["task:state", 5]);
  assert.deepEqual([dash.events[0].name, dash.events[0].payload.tasks[0].seq], ["dashboard:state", 5]);
  await note(id);
  await until("and then what comes after", () => task.events.some((e) => e.payload.seq === 6) && dash.events.some((e) => e.payload.seq === 6));
  for (const s of [task, dash]) s.close();
});

test("who may see it no more is told so, and that is the end", async () => {
  const org = newOrg(), ann = stack.token("ann", org), bob = stack.token("bob", org);
  const id = await stack.createTask({ description: "soon private" }, { token: ann });
  const there = await open(`/api/tasks/${id}/stream`, { token: bob }), away = await open(`/api/tasks/${id}/stream`, { token: bob });
  const board = await open("/api/dashboard/stream", { token: bob }), own = await open(`/api/tasks/${id}/stream`, { token: ann });
  await until("all have it", () => [there, away, board, own].every((s) => s.events.length > 0));
  away.close();
  await patch(id, { isPrivate: true }, ann);
  assert.equal(await there.ended, "end");
  assert.deepEqual(names(there), ["task:state", "task:evicted"]);
  await note(id, "between us");
  await until("its creator hears on", () => own.events.some((e) => e.payload.event?.payload.text === "between us"));
  await until("the board was told", () => board.events.some((e) => e.name === "dashboard:task_removed"));
  const back = await open(`/api/tasks/${id}/stream`, { token: bob, lastId: away.lastId, base: stack.gateways[1].url });
  assert.equal(await back.ended, "end");
  assert.deepEqual(names(back), ["task:evicted"]);
  for (const lastId of [there.lastId, back.lastId, undefined]) assert.equal((await open(`/api/tasks/${id}/stream`, { token: bob, lastId })).status, 404);
  board.close();
  await patch(id, { isPrivate: false }, ann);
  let again;
  await until("bob may again", async () => (again = await open(`/api/tasks/${id}/stream`, { token: bob })).status === 200);
  assert.ok(!JSON.stringify([there.events, back.events, board.events]).includes("between us"));
  for (const s of [again, own]) s.close();
});

test("a stream ends with its token, and when that is revoked", async () => {
  const org = newOrg(), now = Math.floor(Date.now() / 1000);
  const brief = await open("/api/dashboard/stream", { token: stack.token("ann", org, { exp: now + 4 }) });
  const jti = `j${now}`, revoked = await open("/api/dashboard/stream", { token: stack.token("bob", org, { jti }) });
  const stays = await open("/api/dashboard/stream", { token: stack.token("bob", org) });
  assert.deepEqual([brief.status, revoked.status], [200, 200]);
  await stack.taskctl(["revoke", "--jti", jti]);
  assert.equal(await revoked.ended, "end");
  await brief.ended;
  assert.deepEqual(brief.events.map((e) => e.name).sort(), ["auth:expiring", "dashboard:state"]);   // its end is so near that the warning is due at once
  assert.ok(Date.now() / 1000 >= now + 4);
  assert.ok(!stays.isOver);
  assert.equal((await open("/api/dashboard/stream", { token: stack.token("bob", org, { jti }) })).status, 401);
  stays.close();
});

test("a quiet stream is kept alive by comments, and its reader is seen by others", async () => {
  const org = newOrg();
  const id = await stack.createTask({ description: "quiet" }, { token: stack.token("ann", org) });
  const stream = await open(`/api/tasks/${id}/stream`, { token: stack.token("ann", org) });
  await until("comments come", () => stream.comments >= 2);
  const bob = await stack.connect({ token: stack.token("bob", org), base: stack.gateways[1].url });
  assert.ok((await ask(bob, "task:join", { taskId: id })).ok);
  await until("both are seen", () => bob.presence.at(-1)?.count === 2 && stream.events.at(-1).payload.count === 2);
  stream.close();
  await until("and one that has gone is not", () => bob.presence.at(-1).count === 1);
});

test("a reader that does not read is cut off, and goes on from where it was", { timeout: 120_000 }, async () => {
  const port = await freePort();
  const gateway = await stack.startGateway({ QUEUE_BYTES_MAX: "65536", PING_INTERVAL_MS: "25000", METRICS_PORT: String(port) });
  const org = newOrg(), token = stack.token("ann", org), description = "🐢".repeat(9000);
  const id = await stack.createTask({ description: "slow" }, { token });
  const slow = await open(`/api/tasks/${id}/stream`, { token, base: gateway.url });
  await until("it is there", () => names(slow).length === 1);
  slow.answer.pause();
  let sent = 0;
  const gone = async () => /taskwire_streams_slow_total [1-9]/.test(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  for (; !(await gone()); sent++) {             // until the kernel takes no more, and then 64 KiB
    assert.ok(sent < 2000, "it is never cut off");
    assert.equal((await stack.call("PATCH", `/api/tasks/${id}`, { token, body: { description: `${sent}${description}` }, headers: { "If-Match": "*" } })).status, 200);
  }
  slow.answer.resume();
  await slow.ended;
  const back = await open(`/api/tasks/${id}/stream`, { token, lastId: slow.lastId });
  await note(id);
  const seqs = (s) => s.events.filter((e) => e.name === "task:event_added").map((e) => e.payload.seq);
  await until("all is heard", () => seqs(back).at(-1) === sent + 2, { ms: 60_000 });
  const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const heard = seqs(slow);
  assert.deepEqual(heard, range(2, heard.at(-1)));
  if (names(back)[0] === "task:state")         // too much was missed to be told one by one
    assert.deepEqual(seqs(back), range(back.events[0].payload.seq + 1, sent + 2));
  else
    assert.deepEqual(seqs(back), range(heard.at(-1) + 1, sent + 2));
  back.close();
  stack.gateways.splice(stack.gateways.indexOf(gateway), 1);
  assert.equal((await gateway.stop()).code, 0);
});

test("followers through kills and drains: every seq once, in order", { timeout: 170_000 }, async (t) => {
  const org = newOrg(), token = stack.token("ann", org);
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push(await stack.createTask({ description: `task ${i}` }, { token }));
  for (let i = 0; i < 2; i++) await stack.startGateway();
  const bases = () => stack.gateways.map((g) => g.url);
  const followers = ids.flatMap((id) => Array.from({ length: 3 }, () => Object.assign(new Follower(bases, `/api/tasks/${id}/stream`, token), { id })));
  const boards = Array.from({ length: 3 }, () => new Follower(bases, "/api/dashboard/stream", token));
  const all = [...followers, ...boards];
  t.after(() => Promise.all(all.map((f) => f.close())));
  await until("all have begun", () => all.every((f) => f.events.length > 0));
  let over = false, sent = 0;
  const writers = ids.map(async (id) => { for (; !over; sent++, await sleep(25)) await note(id); });
  const cutter = (async () => { while (!over) { await sleep(60); all[Math.floor(Math.random() * all.length)].cut(); } })();
  await until("some is said", () => sent > 30);
  await stack.gateways.pop().kill9();
  await until("more is said", () => sent > 80);
  assert.equal((await stack.gateways.pop().stop()).code, 0);
  await until("and more", () => sent > 130, { ms: 30_000 });
  over = true;
  await Promise.all([...writers, cutter]);
  for (const id of ids) {
    const { body } = await stack.call("GET", `/api/tasks/${id}`, { token });
    const range = (from) => Array.from({ length: body.seq - from + 1 }, (_, i) => from + i);
    const mine = followers.filter((f) => f.id === id);
    await until("all are at the end", async () => mine.every((f) => f.of("task:event_added").at(-1)?.payload.seq === body.seq), { ms: 90_000 });
    for (const f of mine) {
      assert.deepEqual(f.of("task:event_added").map((e) => e.payload.seq), range(f.of("task:state")[0].payload.seq + 1));
      assert.equal(f.of("task:state").length, 1, "it never had to begin anew");
    }
    for (const b of boards) {
      await until("boards, too", () => b.of("dashboard:task_list_updated").filter((e) => e.payload.taskId === id).at(-1)?.payload.seq === body.seq, { ms: 30_000 });
      const first = b.of("dashboard:state")[0].payload.tasks.find((row) => row.taskId === id).seq;
      assert.deepEqual(b.of("dashboard:task_list_updated").filter((e) => e.payload.taskId === id).map((e) => e.payload.seq), range(first + 1));
      assert.equal(b.of("dashboard:state").length, 1);
    }
  }
  t.diagnostic(`${sent} notes to ${all.length} followers, who came ${all.reduce((n, f) => n + f.comings, 0)} times`);
});
