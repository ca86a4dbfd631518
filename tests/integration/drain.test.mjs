// How services leave (SPEC F4): what they go on doing until the end, and what they hand over at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, ask, sleep, until } from "./harness.mjs";

/** A polling session, request by request, each to the gateway that is named. */
class Poller {
  static async open(at, token) {
    const p = new Poller();
    p.target = "/socket.io/?EIO=4&transport=polling";
    p.target += `&sid=${JSON.parse((await (await fetch(at.url + p.target)).text()).slice(1)).sid}`;
    await p.post(at, `40${JSON.stringify({ token })}`);
    return p;
  }
  async post(at, body) {
    const answer = await fetch(at.url + this.target, { method: "POST", body });
    assert.equal(answer.status, 200, await answer.text());
  }
  /** Packets; pings are answered. */
  async get(at) {
    const answer = await fetch(at.url + this.target), text = await answer.text();
    if (answer.status !== 200) throw new Error(`${answer.status} ${text}`);
    const packets = text.split("\x1e");
    if (packets.includes("2")) await this.post(at, "3");
    return packets;
  }
}

test("polls of another gateway's session pass through one that drains, until its end", async () => {
  const stack = await Stack.start({ gateways: 2, gatewayEnv: { DRAIN_SECONDS: "5" } });
  try {
    const [leaving, owner] = stack.gateways, taskId = await stack.createTask();
    for (let i = 0; i < 5; i++) await stack.connect({ base: leaving.url, token: stack.token(`p${i}`), reconnection: false });
    const poller = await Poller.open(owner, stack.token("poll"));
    await until("it is in", async () => (await poller.get(leaving)).some((p) => p.startsWith("40")));
    await poller.post(leaving, `42["task:join",{"taskId":"${taskId}"}]`);
    await until("it has the state", async () => (await poller.get(leaving)).some((p) => p.startsWith('42["task:state"')));
    const ended = leaving.stop(30_000);
    let heard = 0, polls = 0;
    await until("it drains", async () => (await fetch(`${leaving.url}/api/health/ready`)).status === 503);
    assert.equal((await fetch(`${leaving.url}/socket.io/?EIO=4&transport=polling`)).status, 503, "nobody new comes in");
    for (let seq = 2; ; seq++) {
      await stack.publish("note", taskId, { text: "x" });
      try {
        await until("the note came", async () => { polls++; return (await poller.get(leaving)).some((p) => p.includes(`"seq":${seq},`)); });
        heard++;
      } catch (error) {
        assert.match(String(error.cause ?? error), /ECONNREFUSED|ECONNRESET|other side closed|503/, "only its end ends it");
        break;
      }
    }
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.ok(heard >= 3, `${heard} heard over ${polls} polls`);
    await until("it goes on at its owner", async () => (await poller.get(owner)).some((p) => p.includes("task:event_added")));
  } finally {
    await stack.stop();
  }
});

test("a taskd that stops hands the ingest over at once, and answers REST until its notice is over", async () => {
  const stack = await Stack.start({ store: "mongo", taskdEnv: { DRAIN_NOTICE_SECONDS: "4" } });
  try {
    const holderIs = async (taskd) => (await stack.call("GET", "/api/admin/status", { base: taskd.url, token: stack.token("op", "ops", { roles: ["admin"] }) })).body.ingest.isHolder;
    await until("the first holds the lease", () => holderIs(stack.taskd));
    const other = await stack.addTaskd(), taskId = await stack.createTask({ description: "x" }, { base: stack.taskdUrl });
    const ended = stack.taskd.stop(30_000);
    await until("it is not ready", async () => (await fetch(`${stack.taskdUrl}/api/health/ready`)).status === 503);
    await until("the other holds the lease", () => holderIs(other));
    assert.equal(stack.taskd.isRunning, true, "and the first is still there");
    assert.equal((await stack.call("POST", "/api/tasks", { base: stack.taskdUrl, body: { description: "Still open" } })).status, 202);
    await stack.publish("analyzing", taskId, {});
    await until("the other reads the stream", async () => (await stack.call("GET", `/api/tasks/${taskId}`, { base: other.url })).body.status === "analyzing");
    assert.deepEqual(await ended, { code: 0, signal: null });
  } finally {
    await stack.stop();
  }
});

test("connections that are kept between requests end with an answer while a service still serves, and what taskd does is waited for", async () => {
  const stack = await Stack.start({ taskdEnv: { DRAIN_NOTICE_SECONDS: "3" }, gatewayEnv: { DRAIN_NOTICE_SECONDS: "5", DRAIN_SECONDS: "0" } });
  try {
    const [gateway] = stack.gateways, notice = (base) => fetch(`${base}/api/health/ready`).then((r) => ({ status: r.status, connection: r.headers.get("connection") }));
    for (const base of [gateway.url, stack.taskdUrl]) assert.deepEqual(await notice(base), { status: 200, connection: null });
    const ended = gateway.stop(30_000);
    await until("it says so", async () => (await notice(gateway.url)).status === 503);
    assert.equal((await notice(gateway.url)).connection, "close");
    assert.equal((await fetch(`${gateway.url}/api/config`, { headers: { Authorization: `Bearer ${stack.token()}` } })).headers.get("connection"), "close");
    stack.taskd.signal("SIGSTOP");             // it answers when the gateway would be gone
    const call = stack.call("POST", "/api/tasks", { base: gateway.url, body: { description: "Late" } });
    await until("nobody can come in", () => fetch(`${gateway.url}/api/health/live`).then(() => false, () => true));
    await sleep(2000);
    assert.equal(gateway.isRunning, true, "it waits for taskd's answer");
    stack.taskd.signal("SIGCONT");
    assert.equal((await call).status, 202);
    assert.deepEqual(await ended, { code: 0, signal: null });
    const stopped = stack.taskd.stop(30_000);
    await until("taskd says so", async () => (await notice(stack.taskdUrl)).status === 503);
    assert.equal((await notice(stack.taskdUrl)).connection, "close");
    assert.deepEqual(await stopped, { code: 0, signal: null });
  } finally {
    await stack.stop();
  }
});

test("what was under way when a taskd was stopped is stored, published and answered", async () => {
  const stack = await Stack.start();
  try {
    const client = await stack.connect();
    assert.ok((await ask(client, "dashboard:join", {})).ok);
    const calls = Array.from({ length: 200 }, (_, i) => stack.call("POST", "/api/tasks", { base: stack.taskdUrl, body: { description: `call ${i}` } })
      .then((r) => r.status, (error) => String(error.cause ?? error)));
    await sleep(5);
    const end = await stack.taskd.stop(30_000), answers = await Promise.all(calls);
    assert.deepEqual(end, { code: 0, signal: null });
    const stored = answers.filter((a) => a === 202).length;
    assert.ok(stored > 0);
    await stack.startTaskd();
    await until("all that were accepted are there", async () => (await stack.call("GET", "/api/tasks?limit=1")).body.activeCount >= stored);
    await until("and were told", () => new Set(client.log.filter((e) => e.name === "task:created").map((e) => e.payload.taskId)).size >= stored, { ms: 30_000 });
  } finally {
    await stack.stop();
  }
});
