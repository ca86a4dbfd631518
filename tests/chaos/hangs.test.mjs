// hangs.test.mjs - connections that hang without a sign: a proxy's process between a gateway and
// Redis, or a gateway and taskd, is stopped (SIGSTOP). It is noticed, healed, and nothing is lost.
//
// How long it took is printed; TASKWIRE_CHAOS=full holds it to 5 s to be noticed and 10 s to be healed,
// which a busy machine need not keep. (Of many connections to taskd only those that probes or calls
// use are noticed: at the latest when a call's time, 10 s, is over.)
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Stack, ask, freePort, sleep, until } from "../integration/harness.mjs";
import { Proxy } from "./proxy.mjs";

const IS_FULL = process.env.TASKWIRE_CHAOS === "full";
const seconds = (ms) => (ms / 1000).toFixed(1);

function hold(what, noticed, healed, most = { noticed: 5000, healed: 10_000 }) {
  console.log(`# ${what}: noticed after ${seconds(noticed)} s, healed after ${seconds(healed)} s`);
  if (!IS_FULL) return;
  assert.ok(noticed <= most.noticed, `noticed after ${noticed} ms`);
  assert.ok(healed <= most.healed, `healed after ${healed} ms`);
}

/** A stack whose one gateway reaches Redis, or taskd, through a proxy; and somebody who watches a
 *  task and the dashboard while the task moves ten times a second. */
class Scene {
  static async set({ redis = false, taskds = 0 }) {
    const scene = new Scene(), stack = await Stack.start({ gateways: 0 });
    Object.assign(scene, { stack, metrics: await freePort(), taskds: [] });
    try {
      const env = { METRICS_PORT: String(scene.metrics) };
      if (redis) {
        scene.redis = await Proxy.open(stack.redisPort);
        env.REDIS_URL = `redis://127.0.0.1:${scene.redis.port}`;
      }
      while (scene.taskds.length < taskds) scene.taskds.push(await Proxy.open(stack.taskdPort));
      if (taskds) env.TASKD_URL = scene.taskds.map((p) => `http://127.0.0.1:${p.port}`).join(",");
      scene.gateway = await stack.startGateway(env);
      scene.id = await stack.createTask({ description: "a" });
      scene.watcher = await stack.connect();
      assert.deepEqual(await ask(scene.watcher, "task:join", { taskId: scene.id }), { ok: true });
      assert.deepEqual(await ask(scene.watcher, "dashboard:join", {}), { ok: true });
      scene.writing = scene.write();
    } catch (error) {
      await scene.end().catch(() => {});
      throw error;
    }
    return scene;
  }
  async write() {
    while (!this.isOver) {
      await this.stack.publish("note", this.id, { text: "x" });
      await sleep(100);
    }
  }
  seqs(name) { return this.watcher.log.filter((e) => e.name === name && e.payload.taskId === this.id).map((e) => e.payload.seq); }
  get seq() { return Math.max(1, ...this.seqs("task:state"), ...this.seqs("task:event_added")); }
  async stored() { return (await this.stack.call("GET", `/api/tasks/${this.id}`, { base: this.stack.taskdUrl })).body.seq; }
  async metric(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.metrics}/metrics`)).text();
    return Number(new RegExp(`^${name.replace(/[{}"]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
  }
  /** The ports of the gateway's connections to Redis under this name. */
  async redisPorts(name) {
    const list = await this.stack.redisCall("CLIENT", "LIST");
    return list.split("\n").filter((l) => l.includes(` name=${name} `)).map((l) => Number(/ addr=[^ ]*:(\d+) /.exec(l)[1]));
  }
  /** Wait until the watcher is where the store was a moment ago, and live. */
  async caughtUp() {
    const seq = await this.stored();
    await until("the watcher has caught up", () => this.seq >= seq, { ms: 60_000 });
  }
  /** Nothing was lost, nothing came twice. */
  async check() {
    this.isOver = true;
    await this.writing;
    const seq = await until("it is at rest", async () => {
      const before = await this.stored();
      await sleep(300);
      return before === await this.stored() && this.seq === before && before;
    }, { ms: 60_000 });
    assert.equal(this.follow("task:state", "task:event_added", (p) => p.seq, (now, next) => next === now + 1), seq);
    // A dashboard that is slow to read is told the newest row of a task (DESIGN 13), never an old one.
    const row = (p) => p.tasks?.find((t) => t.taskId === this.id)?.seq ?? p.seq;
    assert.equal(this.follow("dashboard:state", "dashboard:task_list_updated", row, (now, next) => next > now), seq);
  }
  /** What the watcher knows at the end: snapshots, which may stand for what they cover (the comparison
   *  of every half minute may be the first to notice) and never go back, and what came after each. */
  follow(state, news, seqOf, isNext) {
    let known = 0;
    for (const { name, payload } of this.watcher.log.filter((e) => [state, news].includes(e.name))) {
      if (payload.taskId !== undefined && payload.taskId !== this.id) continue;
      const seq = seqOf(payload);
      assert.ok(name === state ? seq >= known : isNext(known, seq), `${name} ${seq} after ${known}`);
      known = seq;
    }
    return known;
  }
  async end() {
    this.isOver = true;
    await this.writing;
    await this.stack.stop();
    for (const p of [this.redis, ...this.taskds]) await p?.close();
  }
}

test("a subscriber connection that hangs is given up, and its gap filled", { timeout: 150_000 }, async () => {
  const scene = await Scene.set({ redis: true });
  try {
    await until("it is live", () => scene.seq > 3);
    const ports = await scene.redisPorts("gateway-live");
    assert.equal(ports.length, 1);
    assert.equal(scene.redis.freeze(ports), 1);
    const begun = Date.now();
    await until("it is noticed", async () => await scene.metric("taskwire_canary_resets_total") > 0, { ms: 60_000 });
    const noticed = Date.now() - begun;
    await scene.caughtUp();
    hold("a subscriber connection", noticed, Date.now() - begun);
    await scene.check();
    assert.equal(await scene.metric("taskwire_canary_resets_total"), 1);
  } finally {
    await scene.end();
  }
});

test("a command connection to Redis that hangs is given up, and the subscriber is not blamed for it", { timeout: 150_000 }, async () => {
  const scene = await Scene.set({ redis: true });
  try {
    await until("it is live", () => scene.seq > 3);
    const ports = await scene.redisPorts("gateway");
    assert.equal(scene.redis.freeze(ports), 1);
    const begun = Date.now();
    await until("it is noticed", async () => await scene.metric('taskwire_dependency_up{dependency="redis"}') === 0, { ms: 60_000 });
    const noticed = Date.now() - begun;
    const other = await scene.stack.createTask({ description: "b" }, { base: scene.stack.taskdUrl });
    await until("somebody can join", async () => (await ask(scene.watcher, "task:join", { taskId: other }).catch(() => ({}))).ok, { ms: 60_000 });
    await until("it is ready again", () => fetch(`${scene.gateway.url}/api/health/ready`).then((r) => r.ok), { ms: 60_000 });
    hold("a command connection", noticed, Date.now() - begun);
    await scene.check();
    assert.equal(await scene.metric("taskwire_canary_resets_total"), 0);
  } finally {
    await scene.end();
  }
});

for (const taskds of [2, 1]) {
  const way = taskds === 2 ? "one of two ways to taskd" : "all connections to the only taskd";
  test(`${way} that hang are given up, and who waits is served`, { timeout: 150_000 }, async () => {
    const scene = await Scene.set({ taskds });
    try {
      await until("it is live", () => scene.seq > 3);
      const ids = [];
      for (let i = 0; i < 40; i++) ids.push(await scene.stack.createTask({ description: `t${i}` }, { base: scene.stack.taskdUrl }));
      await until("the pool has many connections, so that many hang", async () => {
        await Promise.all(ids.map((id) => scene.stack.call("GET", `/api/tasks/${id}`)));
        return scene.taskds[0].pipes.size > 5;
      });
      assert.ok(scene.taskds[0].freeze() > 0);
      const begun = Date.now();
      let noticed;
      const looking = until("it is noticed", async () => {
        noticed = Date.now() - begun;
        return (await readFile(scene.gateway.log, "utf8")).includes("taskd-down");
      }, { ms: 60_000 });
      const join = async (i) => {
        const socket = await scene.stack.connect({ token: scene.stack.token(`p${i}`) });
        await until("a join is served", async () => (await ask(socket, "task:join", { taskId: ids[i] }).catch(() => ({}))).ok, { ms: 60_000 });
        const { status } = await scene.stack.call("GET", `/api/tasks/${ids[i]}`, {});
        assert.equal(status, 200);
      };
      await Promise.all(ids.slice(0, 20).map((_, i) => join(i)));
      await looking;
      await until("it is ready", () => fetch(`${scene.gateway.url}/api/health/ready`).then((r) => r.ok), { ms: 60_000 });
      hold(way, noticed, Date.now() - begun, { noticed: 11_000, healed: 12_000 });
      await scene.check();
    } finally {
      await scene.end();
    }
  });
}
