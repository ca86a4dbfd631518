// world.mjs - a whole Taskwire under a crowd, and what can be done to it: kill -9 of a gateway, a
// taskd, or Redis (which comes back with its memory, without it, or with an older copy of it).
import { fork } from "node:child_process";
import { cp, readFile, rm } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { Stack, freePort, root, sleep, until } from "../integration/harness.mjs";
import { Feeder } from "./feeder.mjs";

const ORG = "chaos";
const DOWN_MS = 1500;                          // between a kill and the new start

/** Seconds of CPU that a process, and its children that have ended, have used; 0: it is gone. */
async function cpuSeconds(pid, withChildren = false) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (!stat) return 0;
  const f = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return (f[11] + f[12] + (withChildren ? f[13] + f[14] : 0)) / 100;
}

/** One process full of watchers (crowd.mjs). */
class Crowd {
  constructor() {
    this.child = fork(path.join(root, "tests/chaos/crowd.mjs"));
    this.waiting = [];
    this.child.on("message", (m) => this.waiting.shift()?.done(m));
    this.child.on("exit", (code) => { for (const w of this.waiting) w.fail(new Error(`a crowd ended with ${code}`)); });
  }
  ask(message) {
    return new Promise((done, fail) => { this.waiting.push({ done, fail }); this.child.send(message); });
  }
  async reports() { return (await this.ask({ report: true })).reports; }
  stop() { if (this.child.connected) this.child.send({ stop: true }); }
}

export class World {
  static async start(options) {
    const world = new World();
    Object.assign(world, { options, cpu: {}, killed: [], crowds: [] });
    world.stack = await Stack.start({ store: options.store, gateways: 0, gatewayEnv: options.gatewayEnv, taskdEnv: options.taskdEnv });
    try {
      await world.#begin();
    } catch (error) {
      await world.stop().catch(() => {});
      throw error;
    }
    return world;
  }

  async #begin() {
    const { stack, options } = this;
    this.taskds = [stack.taskd];
    while (this.taskds.length < options.taskds) this.taskds.push(await stack.addTaskd());
    for (let i = 0; i < options.gateways; i++) {
      const metrics = await freePort(), gateway = await stack.startGateway({ METRICS_PORT: String(metrics) });
      gateway.metrics = metrics;
    }
    if (options.from) await this.#exchange(options.from);
    this.front = await stack.startBalancer(options.balancer ?? { check: true });
    this.ids = await this.#tasks();
    await this.#people();
  }

  /** Begin with another version: nobody is here yet. */
  async #exchange(from) {
    for (const at of this.taskds.keys()) await this.restartTaskd(at, from);
    for (const at of this.stack.gateways.keys()) await this.restartGateway(at, from);
  }

  /** Tasks that may go round and round: dispatched, then pull requests come and go. */
  async #tasks() {
    const { stack } = this, ids = [], token = stack.token("maker", ORG);
    for (let i = 0; i < this.options.tasks; i++) ids.push(await stack.createTask({ description: `task ${i}` }, { token }));
    for (const id of ids) await stack.publish("dispatched", id, { issueNumber: 1, issueUrl: "https://github.com/acme/shop/issues/1", githubBranch: "t" });
    await until("all are dispatched", async () => {
      const { body } = await stack.call("GET", "/api/tasks?status=received&limit=1", { token });
      return body.tasks.length === 0;
    }, { ms: 60_000, every: 200 });
    return ids;
  }

  async #people() {
    const { clients, watches, crowds } = this.options;
    const people = Array.from({ length: clients }, (_, i) => ({
      name: `w${i}`, base: this.front, token: this.stack.token(`w${i}`, ORG),
      transports: i % 8 === 0 ? ["polling"] : i % 2 === 0 ? ["polling", "websocket"] : ["websocket"],
      hasBoard: i % 16 === 3 || i % 16 === 8,
      tasks: Array.from({ length: watches }, (_, n) => this.ids[(i * watches + n * 7) % this.ids.length]),
    }));
    this.crowds = Array.from({ length: crowds }, () => new Crowd());
    await Promise.all(this.crowds.map((c, at) => c.ask({ start: people.filter((_, i) => i % crowds === at) })));
    await until("everybody has their snapshots", async () => (await this.reports()).every((r) => r.tasks.every((t) => t.seq > 0) && (!r.board || r.board.counts)), { ms: 120_000, every: 250 });
  }

  async reports() { return (await Promise.all(this.crowds.map((c) => c.reports()))).flat(); }

  feed() { this.feeder = new Feeder({ port: this.stack.redisPort, ids: this.ids, rate: this.options.rate }); }

  // --- what breaks ---

  async #spent(name, pid, withChildren) { this.cpu[name] = (this.cpu[name] ?? 0) + await cpuSeconds(pid, withChildren); }

  async killGateway(turn) {
    const { gateways } = this.stack, at = turn % gateways.length, old = gateways[at];
    await this.#spent("gateways", old.child.pid);
    await old.kill9();
    await sleep(DOWN_MS);
    const gateway = this.stack.beginGateway(Number(new URL(old.url).port), { METRICS_PORT: String(old.metrics) });
    gateway.metrics = old.metrics;
    gateways[at] = gateway;
    await this.stack.ready(gateway, gateway.url);
  }

  async killTaskd(turn) {
    const at = turn % this.taskds.length, old = this.taskds[at], port = new URL(old.url).port;
    await this.#spent("taskds", old.child.pid);
    await old.kill9();
    await sleep(DOWN_MS);
    this.taskds[at] = this.stack.beginTaskd(old.name, port);
    await this.stack.ready(this.taskds[at], old.url);
  }

  get #memory() { return path.join(this.stack.folder, "appendonlydir"); }

  /** `memory`: kept, lost, or older (as it was at the last keepCopy). */
  async killRedis(memory) {
    await this.#spent("redis", this.stack.redis.child.pid);
    await this.stack.redis.kill9();
    if (memory !== "kept") await rm(this.#memory, { recursive: true });
    if (memory === "older") await cp(this.copy, this.#memory, { recursive: true });
    await sleep(DOWN_MS);
    await this.stack.startRedis();
  }

  async keepCopy() {
    this.copy = path.join(this.stack.folder, "older");
    await rm(this.copy, { recursive: true, force: true });
    await cp(this.#memory, this.copy, { recursive: true });
  }

  async kill([what, how], turn) {
    const begun = Date.now();
    if (what === "gateway") await this.killGateway(turn);
    else if (what === "taskd") await this.killTaskd(turn);
    else await this.killRedis(how);
    this.killed.push(`${what}${how ? ` (memory ${how})` : ""}: back after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  }

  // --- what is done on purpose: SIGTERM, the end, and a start as another version perhaps ---

  async #stopped(program) {
    const end = await program.stop(180_000);
    if (end.code !== 0) throw new Error(`${program.name} ended with ${JSON.stringify(end)}`);
  }

  async restartGateway(at, from) {
    const old = this.stack.gateways[at];
    await this.#spent("gateways", old.child.pid);
    this.#keep(await this.#countersOf(old));
    await this.#stopped(old);
    const gateway = this.stack.beginGateway(Number(new URL(old.url).port), { METRICS_PORT: String(old.metrics) }, from);
    gateway.metrics = old.metrics;
    this.stack.gateways[at] = gateway;
    await this.stack.ready(gateway, gateway.url);
  }

  async restartTaskd(at, from) {
    const old = this.taskds[at];
    await this.#spent("taskds", old.child.pid);
    await this.#stopped(old);
    this.taskds[at] = this.stack.beginTaskd(old.name, new URL(old.url).port, {}, from);
    if (at === 0) this.stack.taskd = this.taskds[0];
    await this.stack.ready(this.taskds[at], old.url);
  }

  // --- what must hold in the end ---

  /** All that was sent has been acted on, and published. */
  async settle() {
    const { stack } = this, admin = { base: this.taskds[0].url, token: stack.token("op", "ops", { roles: ["admin"] }) };
    await until("the ingest stream is empty", async () => (await stack.redisCall("XLEN", "tasks:ingest")) === "0", { ms: 240_000, every: 200 });
    await until("the outbox is empty", async () => (await stack.call("GET", "/api/admin/outbox", admin)).body.unpublished === 0, { ms: 120_000, every: 200 });
  }

  /** What the store holds: the tasks by their ids, and the org's counts. */
  async truth() {
    const truth = new Map(), token = this.stack.token("maker", ORG);
    for (const id of this.ids) {
      const { body } = await until(`the store says what ${id} is`, async () => {
        const answer = await this.stack.call("GET", `/api/tasks/${id}`, { token });
        return answer.status === 200 && answer;
      }, { ms: 60_000, every: 200 });
      truth.set(id, body);
    }
    truth.counts = (await this.stack.call("GET", "/api/tasks?limit=1", { token })).body;
    return truth;
  }

  /** What differs from the store, in words. */
  async differences(truth) {
    const isOld = (id, t) => t.seq !== truth.get(id).seq || t.status !== truth.get(id).status;
    const places = (id, t) => `at ${t.seq} ${t.status}, the store at ${truth.get(id).seq} ${truth.get(id).status}`;
    return (await this.reports()).flatMap((r) => [
      ...(r.isConnected ? [] : [`${r.name}: not connected`]),
      ...r.tasks.filter((t) => isOld(t.id, t)).map((t) => `${r.name} ${t.id}: ${places(t.id, t)} [${t.lines.join(", ")}]`),
      ...(r.board?.rows ?? []).filter((t) => truth.has(t.taskId) && isOld(t.taskId, t)).map((t) => `${r.name} dashboard ${t.taskId}: ${places(t.taskId, t)}`),
      ...["activeCount", "completedCount", "failedCount"].filter((n) => r.board && r.board.counts[n] !== truth.counts[n])
        .map((n) => `${r.name} dashboard ${n}: ${r.board.counts[n]}, the store has ${truth.counts[n]}`),
    ]);
  }

  async #countersOf(gateway) {
    const text = await (await fetch(`http://127.0.0.1:${gateway.metrics}/metrics`)).text();
    return [...text.matchAll(/^(taskwire_\w+(?:\{[^}]*\})?) (\S+)$/gm)].map((m) => [m[1], Number(m[2])]);
  }

  #keep(counters) {
    this.kept ??= {};
    for (const [name, n] of counters) if (/_total(\{|$)/.test(name)) this.kept[name] = (this.kept[name] ?? 0) + n;
  }

  /** Of all gateways; counters also of those that were restarted. */
  async counters() {
    const sums = { ...this.kept };
    for (const g of this.stack.gateways) for (const [name, n] of await this.#countersOf(g)) sums[name] = (sums[name] ?? 0) + n;
    return sums;
  }

  async cpuSpent() {
    for (const g of this.stack.gateways) await this.#spent("gateways", g.child.pid);
    for (const t of this.taskds) await this.#spent("taskds", t.child.pid);
    for (const c of this.crowds) await this.#spent("clients", c.child.pid);
    await this.#spent("redis", this.stack.redis.child.pid);
    await this.#spent("haproxy", this.stack.balancer.child.pid);
    if (this.stack.mongoEnv) {
      const read = (file) => readFile(path.join(this.stack.mongoEnv.TM_RUN, file), "utf8").then((t) => t.split("\n")[0]);
      const postmaster = await read("pg/postmaster.pid");
      await this.#spent("ferretdb", await read("ferretdb.pid"));
      await this.#spent("postgresql", postmaster, true);
      for (const pid of execFileSync("pgrep", ["-P", postmaster], { encoding: "utf8" }).trim().split("\n")) await this.#spent("postgresql", pid);
    }
    return this.cpu;
  }

  async stop() {
    this.feeder?.stop();
    for (const c of this.crowds) c.stop();
    for (const g of this.stack.gateways) g.signal("SIGTERM");
    await sleep(500);                          // two at once would be one; the second ends a drain at once
    await this.stack.stop();
  }
}
