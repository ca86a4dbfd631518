// slow.mjs - a reader that stops reading while 10,000 others receive 1,000 messages each: what
// it costs in memory, and whether it slows anybody.
//
//   node tests/bench/slow.mjs [clients=10000] [messages=1000]
//
// The same run twice in one process: without and with the stalled readers. Those are also sent
// large messages that nobody else gets, as the kernel's buffers alone hold some megabytes.
import net from "node:net";
import { createClient } from "redis";
import { Stack, freePort, sleep, until } from "../integration/harness.mjs";
import { Load, anonBytes, cpuSeconds } from "./measure.mjs";

const CLIENTS = Number(process.argv[2] || 10000), MESSAGES = Number(process.argv[3] || 1000);
const STALLED = 10, TASKS = 20, BYTES = 400, LARGE_PER_BATCH = 300;
const metricsPort = await freePort();
const stack = await Stack.start({ gatewayEnv: { JOINS_PER_SECOND: "0", METRICS_PORT: String(metricsPort), LOG_LEVEL: "warn" } });
const redis = createClient({ url: stack.redisUrl });
await redis.connect();
const taskIds = [];
const largeIds = [];                     // joined by the stalled readers alone
for (let i = 0; i < TASKS; i++) {
  taskIds.push(await stack.createTask());
  largeIds.push(await stack.createTask());
}
const join = (id, isLast) => `42${isLast ? "0" : ""}["task:join",{"taskId":"${id}"}]`;
const joins = taskIds.map((id, i) => join(id, i === TASKS - 1));
const { pid } = stack.gateways[0].child;
const port = Number(new URL(stack.url).port);

function maskedText(text) {
  const body = Buffer.from(text), head = body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

/** A client that joins and then reads no more. */
async function stall() {
  const socket = net.connect(port, "127.0.0.1");
  let seen = "";
  socket.on("data", (d) => { seen += d.toString("latin1"); });
  socket.on("error", () => {});
  socket.write(`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  await until("the session opens", () => seen.includes('"sid"'));
  socket.write(maskedText(`40{"token":"${stack.token("slow")}"}`));
  await until("the socket opens", () => seen.includes('40{"sid"'));
  for (const id of largeIds) socket.write(maskedText(join(id, false)));
  for (const text of joins) socket.write(maskedText(text));
  await until("it has joined", () => seen.includes("430["));
  socket.pause();
  return socket;
}

async function slowClosed() {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return text.split("\n").filter((l) => /slow/.test(l) && !l.startsWith("#")).join("; ");
}

const load = new Load({ port, clients: CLIENTS, hello: `40{"token":"${stack.token()}"}`, ask: joins.join("\n"), marker: '42["task:event_added"' });
await load.ready();
const text = "x".repeat(BYTES - 170), large = "y".repeat(4000);
const note = (id, words) => redis.xAdd("tasks:ingest", "*", { event: stack.event("note", id, { text: words }, { source: "/bench" }) });

async function pour(largePerBatch) {
  await sleep(500);
  await load.report();
  const cpu = cpuSeconds(pid), memory = anonBytes(pid);
  let most = memory;
  const watch = setInterval(() => { most = Math.max(most, anonBytes(pid)); }, 50);
  for (let sent = 0; sent < MESSAGES; sent += 50) {
    await Promise.all([...Array.from({ length: 50 }, (_, i) => note(taskIds[i % TASKS], text)),
      ...Array.from({ length: largePerBatch }, (_, i) => note(largeIds[i % TASKS], large))]);
    await load.expect(50 * CLIENTS, { ms: 120_000 });
  }
  clearInterval(watch);
  return { us: (cpuSeconds(pid) - cpu) * 1e6 / (MESSAGES * CLIENTS), grown: most - memory };
}

const alone = await pour(0);
const stalled = await Promise.all(Array.from({ length: STALLED }, stall));
const beside = await pour(LARGE_PER_BATCH);
console.log(`${CLIENTS} readers, ${MESSAGES} messages each`);
console.log(`  alone                    ${alone.us.toFixed(2)} µs CPU per delivery, memory at most +${alone.grown >> 10} KiB`);
console.log(`  with ${STALLED} stalled readers  ${beside.us.toFixed(2)} µs CPU per delivery, memory at most +${beside.grown >> 10} KiB   (they may hold ${STALLED} x QUEUE_BYTES_MAX = ${STALLED << 10} KiB)`);
console.log(`  ratio ${(beside.us / alone.us).toFixed(3)}; ${await slowClosed()}`);
for (const s of stalled) s.destroy();
await load.stop();
await redis.quit();
await stack.stop();
