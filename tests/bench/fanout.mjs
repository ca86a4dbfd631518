// fanout.mjs - one event to 1,000 websockets: the gateway beside npm's socket.io with its
// Redis adapter, and beside the floor server, all in one run.
//
//   node tests/bench/fanout.mjs [clients=1000] [rounds=3]
//
// CPU is the server process's own, user and system, from the kernel. Ratios hold on a noisy
// machine where seconds do not.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient } from "redis";
import { Stack, build, freePort, sleep } from "../integration/harness.mjs";
import { Load, cpuSeconds, median } from "./measure.mjs";

const CLIENTS = Number(process.argv[2] || 1000), ROUNDS = Number(process.argv[3] || 3);
const BURST = 600, PACE = 20, PACED_SECONDS = 8, BYTES = 400;
// Every client is in all of these rooms. One task's transitions wait for each other's write, so
// a single one would measure the store's disk.
const TASKS = 40;
const here = path.dirname(fileURLToPath(import.meta.url));
const stack = await Stack.start({ gatewayEnv: { JOINS_PER_SECOND: "0" } });
const redis = createClient({ url: stack.redisUrl });
await redis.connect();

// --- ours: a note on a task, through the ingest stream, taskd and the gateway ---
const taskIds = [];
for (let i = 0; i < TASKS; i++) taskIds.push(await stack.createTask());
const [taskId] = taskIds;
const joins = taskIds.map((id, i) => `42${i === TASKS - 1 ? "0" : ""}["task:join",{"taskId":"${id}"}]`).join("\n");
let turn = 0;
const nextTask = () => taskIds[turn++ % TASKS];
const noteFrame = (text) => `42["task:event_added",{"taskId":"${taskId}","seq":1000,"event":{"seq":1000,"eventType":"note","payload":{"text":"${text}"},"actor":"/bench","createdAt":"2026-01-01T00:00:00.000Z"}}]`.length;
const text = "x".repeat(BYTES - noteFrame(""));
const ours = {
  name: "gateway", pid: stack.gateways[0].child.pid,
  load: new Load({ port: new URL(stack.url).port, clients: CLIENTS, hello: `40{"token":"${stack.token()}"}`,
    ask: joins, marker: '42["task:event_added"' }),
  publish: (n) => Promise.all(Array.from({ length: n }, () => redis.xAdd("tasks:ingest", "*", { event: stack.event("note", nextTask(), { text }, { source: "/bench" }) }))),
};
await ours.load.ready();

// --- npm's ---
const npmPort = await freePort();
const npm = spawn(process.execPath, [path.join(here, "npm-server.mjs"), String(npmPort), stack.redisUrl], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NODE_ENV: "production" } });
await once(npm.stdout, "data");
const emitter = new Emitter(redis);
const reference = {
  name: "npm", pid: npm.pid,
  load: new Load({ port: npmPort, clients: CLIENTS, hello: "40", ask: joins, marker: '42["task:event_added"' }),
  publish: async (n) => {
    for (let i = 0; i < n; i++) emitter.to(`task:${nextTask()}`).emit("task:event_added", { taskId, seq: 1000, event: { seq: 1000, eventType: "note", payload: { text }, actor: "/bench", createdAt: "2026-01-01T00:00:00.000Z" } });
  },
};
await reference.load.ready();

// --- the floor ---
const floorPort = await freePort();
const floor = spawn(path.join(build, "bin/floor"), [String(floorPort), String(BYTES), String(PACE)], { stdio: ["pipe", "inherit", "inherit"] });
await sleep(200);
const bare = { name: "floor", pid: floor.pid, load: new Load({ port: floorPort, clients: CLIENTS, target: "/", marker: "x" }) };
await bare.load.ready();

async function burst(server) {
  await server.load.report();
  const cpu = cpuSeconds(server.pid), begun = Date.now();
  await server.publish(BURST);
  const got = await server.load.expect(BURST * CLIENTS);
  if (got.deliveries !== BURST * CLIENTS) throw new Error(`${server.name}: ${got.deliveries} deliveries`);
  await sleep(100);
  return { us: (cpuSeconds(server.pid) - cpu) * 1e6 / got.deliveries, rate: got.deliveries / ((got.last_us - got.first_us) / 1e6), bytes: got.bytes / got.deliveries, ms: Date.now() - begun };
}

async function paced(server) {
  await server.load.report();
  const cpu = cpuSeconds(server.pid);
  if (server === bare) floor.stdin.write("\n");
  const begun = Date.now();
  for (let i = 0; i < PACED_SECONDS * PACE; i++) {
    if (server.publish) await server.publish(1);
    await sleep(Math.max(0, begun + (i + 1) * 1000 / PACE - Date.now()));
  }
  if (server === bare) floor.stdin.write("\n");
  await sleep(300);
  const { deliveries } = await server.load.report();
  return { us: (cpuSeconds(server.pid) - cpu) * 1e6 / deliveries, deliveries };
}

const rows = { burst: { gateway: [], npm: [] }, paced: { gateway: [], floor: [], npm: [] } };
for (let round = 0; round < ROUNDS; round++) {
  for (const s of [ours, reference]) rows.burst[s.name].push(await burst(s));
  for (const s of [ours, bare, reference]) rows.paced[s.name].push(await paced(s));
}
const us = (list) => median(list.map((r) => r.us));
const ratios = (a, b) => median(a.map((r, i) => r.us / b[i].us));
console.log(`fan-out of a ${BYTES}-byte event to ${CLIENTS} websockets, median of ${ROUNDS} rounds`);
for (const [name, list] of Object.entries(rows.burst)) console.log(`  as fast as it goes  ${name.padEnd(8)} ${us(list).toFixed(2)} µs CPU per delivery, ${Math.round(median(list.map((r) => r.rate)))} deliveries/s, ${median(list.map((r) => r.bytes)).toFixed(0)} bytes each`);
for (const [name, list] of Object.entries(rows.paced)) console.log(`  ${PACE * CLIENTS} deliveries/s  ${name.padEnd(8)} ${us(list).toFixed(2)} µs CPU per delivery (${median(list.map((r) => r.deliveries))} deliveries)`);
console.log(`  gateway / npm, as fast as both go: ${ratios(rows.burst.gateway, rows.burst.npm).toFixed(3)}   (goal: at most 0.25)`);
console.log(`  gateway / floor, at ${PACE * CLIENTS}/s:        ${ratios(rows.paced.gateway, rows.paced.floor).toFixed(3)}   (goal: at most 1.30)`);

await Promise.all([ours, reference, bare].map((s) => s.load.stop()));
npm.kill();
floor.kill();
await redis.quit();
await stack.stop();
