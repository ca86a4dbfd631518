// harness.mjs - real processes for a scenario: Redis, a store, taskd, gateways; and people
// with real Socket.IO clients. Everything started here ends with `stop()`.
import { spawn, execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { openSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { createHmac, randomBytes } from "node:crypto";
import { io } from "socket.io-client";
import { redisCall } from "./redis.mjs";

const exec = promisify(execFile);
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const build = process.env.TASKWIRE_BUILD || path.join(root, "build/release");
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A port that nobody listens on. Below those that the kernel gives to outgoing connections, so
 *  that none of theirs takes it before whoever asked does. */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const isFree = await new Promise((done) => {
      const s = net.createServer().on("error", () => done(false)).listen(port, "127.0.0.1", () => s.close(() => done(true)));
    });
    if (isFree) return port;
  }
}

/** Wait until `check` gives something true; says `what` where it never does. */
export async function until(what, check, { ms = 15_000, every = 25 } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`never happened within ${ms} ms: ${what}`);
    await sleep(every);
  }
}

export function sign(payload, secret, header = { alg: "HS256", typ: "JWT" }) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  const body = `${part(header)}.${part(payload)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** A program and how it ends. */
export class Program {
  constructor(name, argv, { env = {}, log, cwd = root } = {}) {
    const out = log ? openSync(log, "a") : "ignore";
    this.name = name;
    this.log = log;
    this.child = spawn(argv[0], argv.slice(1), { cwd, env: { ...process.env, ...env }, stdio: ["ignore", out, out] });
    this.ended = new Promise((done) => {
      this.child.on("error", (error) => done({ code: 127, signal: null, error }));
      this.child.on("exit", (code, signal) => done({ code, signal }));
    });
    this.isRunning = true;
    this.ended.then(() => { this.isRunning = false; });
  }
  signal(name) { if (this.isRunning) process.kill(this.child.pid, name); }
  async kill9() { this.signal("SIGKILL"); return this.ended; }
  /** SIGTERM, and a look at how it ended: a clean service ends with 0. */
  async stop(ms = 15_000) {
    this.signal("SIGTERM");
    let timer;
    const late = new Promise((done) => { timer = setTimeout(done, ms, null); });
    const end = await Promise.race([this.ended, late]);
    clearTimeout(timer);
    if (end) return end;
    await this.kill9();
    return { code: null, signal: "SIGKILL", hung: true };
  }
}

/** One Taskwire of its own: `await Stack.start({store})`, `await stack.stop()`. */
export class Stack {
  static async start(options = {}) {
    const stack = new Stack();
    stack.options = options;
    stack.folder = await mkdtemp(path.join(os.tmpdir(), "taskwire-test-"));
    stack.secret = randomBytes(32).toString("hex");
    stack.clusterSecret = randomBytes(32).toString("hex");
    stack.programs = [];
    stack.clients = [];
    try {
      await stack.startRedis();
      for (let i = 1; i < (options.redisServers ?? 1); i++) await stack.addRedis();
      stack.storeUrl = await stack.makeStore(options.store || "sqlite");
      stack.taskdPort = await freePort();
      await stack.startTaskd();
      stack.gateways = [];
      for (let i = 0; i < (options.gateways ?? 1); i++) await stack.startGateway();
    } catch (error) {
      await stack.stop().catch(() => {});
      throw error;
    }
    return stack;
  }

  log(name) { return path.join(this.folder, `${name}.log`); }

  begin(name, argv, env) {
    const p = new Program(name, argv, { env, log: this.log(name) });
    this.programs.push(p);
    return p;
  }

  async startRedis() {
    this.redisPort ||= await freePort();
    this.redis = this.begin("redis", ["redis-server", "--port", String(this.redisPort), "--bind", "127.0.0.1",
      "--dir", this.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
    this.redisUrl ||= `redis://127.0.0.1:${this.redisPort}`;
    await until("redis answers", () => this.redisCall("PING").catch(() => false));
  }

  async redisCall(...args) { return this.redisCallAt(this.redisPort, ...args); }

  redisCallAt(port, ...args) { return redisCall(port, ...args); }

  /** More servers beside the first one, each with a folder of its own: their orgs are shared out. */
  async addRedis() {
    const server = { port: await freePort() };
    server.folder = path.join(this.folder, `redis-${server.port}`);
    await mkdir(server.folder);
    this.moreRedis = [...(this.moreRedis ?? []), server];
    this.redisUrl += `,redis://127.0.0.1:${server.port}`;
    await this.startMoreRedis(server);
    return server;
  }

  async startMoreRedis(server) {
    server.program = this.begin(`redis-${server.port}`, ["redis-server", "--port", String(server.port), "--bind", "127.0.0.1",
      "--dir", server.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
    await until("another redis answers", () => this.redisCallAt(server.port, "PING").catch(() => false));
  }

  async makeStore(kind) {
    if (kind === "sqlite") return `sqlite:${path.join(this.folder, "taskwire.db")}`;
    if (process.env.TASKWIRE_TEST_MONGODB_URL) {
      return `${process.env.TASKWIRE_TEST_MONGODB_URL.replace(/\/$/, "")}/taskwire_${randomBytes(6).toString("hex")}`;
    }
    await chmod(this.folder, 0o711);           // PostgreSQL runs as nobody where we are root
    this.mongoEnv = { ...process.env, TM_RUN: path.join(this.folder, "mongo"), TM_DURABLE: "1" };
    return `${(await this.mongo("start", String(await freePort()))).replace(/\/$/, "")}/taskwire`;
  }

  /** What tests/mongo/server.sh can do to this stack's server: kill9, restart, freeze, thaw. */
  async mongo(...args) {
    const { stdout } = await exec(path.join(root, "tests/mongo/server.sh"), args, { env: this.mongoEnv, timeout: 600_000 });
    return stdout.trim();
  }

  get commonEnv() {
    return { REDIS_URL: this.redisUrl, JWT_SECRET: this.secret, CLUSTER_SECRET: this.clusterSecret,
      BIND_ADDRESS: "127.0.0.1", METRICS_PORT: "0", DRAIN_NOTICE_SECONDS: "0", LOG_LEVEL: process.env.LOG_LEVEL || "info" };
  }

  /** The taskd that gateways ask; with TASKWIRE_FAULT in `env` it dies at that step (taskd/fault.h). */
  async startTaskd(env = {}) {
    this.taskdUrl = `http://127.0.0.1:${this.taskdPort}`;
    this.taskd = this.beginTaskd("taskd", this.taskdPort, env);
    await this.ready(this.taskd, this.taskdUrl);
  }

  /** `from`: the folder of another build. */
  beginTaskd(name, port, env = {}, from = build) {
    const taskd = this.begin(name, [path.join(env.TASKWIRE_FAULT ? `${build}-faults` : from, "bin/taskd")],
      { ...this.commonEnv, PORT: String(port), STORE_URL: this.storeUrl, ...this.options.taskdEnv, ...env });
    taskd.url = `http://127.0.0.1:${port}`;
    return taskd;
  }

  /** Another taskd on the same store (MongoDB); gateways that begin later ask both. */
  async addTaskd(env = {}) {
    const port = await freePort();
    const taskd = this.beginTaskd(`taskd-${port}`, port, env);
    this.taskds = [...(this.taskds ?? [this.taskd]), taskd];
    await this.ready(taskd, taskd.url);
    return taskd;
  }

  async startGateway(env = {}) {
    const gateway = this.beginGateway(await freePort(), env);
    this.gateways.push(gateway);
    await this.ready(gateway, gateway.url);
    return gateway;
  }

  beginGateway(port, env = {}, from = build) {
    const gateway = this.begin(`gateway-${port}`, [path.join(from, "bin/gateway")],
      { ...this.commonEnv, PORT: String(port), TASKD_URL: this.taskds?.map((t) => t.url).join(",") ?? this.taskdUrl, DRAIN_SECONDS: "1", ...this.options.gatewayEnv, ...env });
    gateway.url = `http://127.0.0.1:${port}`;
    return gateway;
  }

  /** HAProxy in front of all gateways, in plain round robin: no stickiness. Gives its URL.
   *  `check`: it looks for itself who is there; `deployed`: as deploy/haproxy says. */
  async startBalancer({ check = false, deployed = false } = {}) {
    if (deployed) return this.startDeployed("haproxy", ["haproxy", "-db", "-f", path.join(root, "deploy/haproxy/haproxy.cfg")],
      (port) => ({ TASKWIRE_BIND: `127.0.0.1:${port}`, CHECK_INTERVAL: "500ms",
        ...Object.fromEntries(this.gateways.slice(0, 3).map((g, i) => [`GATEWAY_${i + 1}`, new URL(g.url).host])) }));
    const port = await freePort(), config = path.join(this.folder, "haproxy.cfg");
    const servers = this.gateways.map((g, i) => `  server g${i} ${new URL(g.url).host}`);
    await writeFile(config, `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
listen front
  bind 127.0.0.1:${port}
  balance roundrobin
${check ? "  option redispatch 1\n  option httpchk GET /api/health/live\n  default-server check inter 300ms fall 1 rise 1\n" : ""}${servers.join("\n")}
`);
    this.balancer = this.begin("haproxy", ["haproxy", "-db", "-f", config]);
    this.balancer.endsBySignal = true;
    const url = `http://127.0.0.1:${port}`;
    await until("HAProxy answers", () => fetch(`${url}/api/health/ready`).then((r) => r.ok, () => false));
    return url;
  }

  /** A proxy with its file of deploy/. */
  async startDeployed(name, argv, env) {
    const port = await freePort(), url = `http://127.0.0.1:${port}`;
    this.balancer = this.begin(name, argv, env(port));
    this.balancer.endsBySignal = true;
    await until(`${name} answers`, () => fetch(`${url}/api/health/ready`).then((r) => r.ok, () => false));
    return url;
  }

  get url() { return this.gateways[0].url; }

  async ready(program, url) {
    await until(`${program.name} is ready (its log: ${program.log})`, async () => {
      if (!program.isRunning) throw new Error(`${program.name} ended: ${(await readFile(program.log, "utf8")).slice(-2000)}`);
      return fetch(`${url}/api/health/ready`).then((r) => r.ok, () => false);
    }, { ms: 30_000 });
  }

  token(sub = "ann", org = "acme", extra = {}) {
    const now = Math.floor(Date.now() / 1000);
    return sign({ sub, ...(org && { org }), name: sub.toUpperCase(), iat: now, exp: now + 3600, ...extra }, this.secret);
  }

  /** A REST call; gives {status, headers, body}. */
  async call(method, target, { token = this.token(), body, headers = {}, base = this.url } = {}) {
    const answer = await fetch(base + target, {
      method,
      headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    let json;
    try { json = JSON.parse(text); } catch { json = text; }
    return { status: answer.status, headers: answer.headers, body: json };
  }

  async createTask(body = { description: "Make the door blue" }, options = {}) {
    const { status, body: task } = await this.call("POST", "/api/tasks", { body, ...options });
    if (status !== 202) throw new Error(`create answered ${status} ${JSON.stringify(task)}`);
    return task.taskId;
  }

  event(type, taskId, data = {}, extra = {}) {
    return JSON.stringify({ specversion: "1.0", id: randomBytes(8).toString("hex"), source: "/test",
      type: `task.${type}`, subject: taskId, time: new Date().toISOString(), data, ...extra });
  }

  publish(type, taskId, data, extra) {
    return this.redisCall("XADD", "tasks:ingest", "*", "event", this.event(type, taskId, data, extra));
  }

  /** Many events in one write, as a Redis client would pipeline them. */
  publishMany(events) {
    return new Promise((done, fail) => {
      let answers = 0;
      const socket = net.connect(this.redisPort, "127.0.0.1");
      socket.on("error", fail);
      socket.on("data", (data) => {
        answers += data.toString().split("\n").filter((line) => line.startsWith("$")).length;
        if (answers < events.length) return;
        socket.end();
        done();
      });
      socket.write(events.map((event) => {
        const args = ["XADD", "tasks:ingest", "*", "event", event];
        return `*${args.length}\r\n${args.map((a) => `$${Buffer.byteLength(a)}\r\n${a}\r\n`).join("")}`;
      }).join(""));
    });
  }

  /** A person with a stock client; every event is kept in `log` as {name, args}, but for
   *  task:presence, which comes whenever it likes: those are kept in `presence`. */
  async connect({ token = this.token(), base = this.url, transports = ["websocket"], ...options } = {}) {
    const socket = io(base, { auth: { token }, transports, forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 500, ...options });
    socket.log = [];
    socket.presence = [];
    socket.onAny((name, ...args) => {
      if (name === "task:presence") socket.presence.push(args[0]);
      else socket.log.push({ name, args, payload: args[0] });
    });
    // An event that comes in the tick in which its engine closes is put by without its offset by the
    // client (4.8): it would be heard again, as the server rightly sends it again.
    socket.io.on("open", () => socket.io.engine.once("close", () => setTimeout(() => { socket.receiveBuffer.length = 0; })));
    this.clients.push(socket);
    await new Promise((done, fail) => {
      socket.once("connect", done);
      socket.once("connect_error", fail);
      setTimeout(() => fail(new Error("no connect within 10 s")), 10_000).unref();
    });
    return socket;
  }

  async taskctl(args, { input, ...env } = {}) {
    return exec(path.join(build, "bin/taskctl"), args, { env: { ...process.env, ...this.commonEnv, TASKD_URL: this.taskdUrl, ...env } });
  }

  beginTaskctl(name, args) {
    return this.begin(name, [path.join(build, "bin/taskctl"), ...args], { ...this.commonEnv, TASKD_URL: this.taskdUrl });
  }

  /** Stop all; throws where a service did not end cleanly. */
  async stop() {
    for (const c of this.clients) c.disconnect();
    const bad = [];
    for (const p of [...this.programs].reverse()) {
      if (!p.isRunning) continue;
      const end = await p.stop();
      if (end.code !== 0 && !p.endsBySignal) bad.push(`${p.name} ended with ${JSON.stringify(end)}: ${(await readFile(p.log, "utf8")).slice(-3000)}`);
    }
    if (this.mongoEnv) await this.mongo("stop").catch(() => {});
    if (bad.length) throw new Error(bad.join("\n"));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Emit with an acknowledgement, as a promise. */
export function ask(socket, name, payload) {
  return socket.timeout(10_000).emitWithAck(name, payload);
}

