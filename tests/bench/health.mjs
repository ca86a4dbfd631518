// health.mjs - how fast probes are answered while a gateway fans out to 10,000 websockets: the
// 99th percentile is to stay within 10 ms.
//
//   node tests/bench/health.mjs [clients=10000] [seconds=10] [rate=5]
//
// Probes come on kept connections, one after the other, as a load balancer's do; the same gateway
// without traffic is measured first, so that a noisy machine shows.
import http from "node:http";
import { Stack, sleep } from "../integration/harness.mjs";
import { Load, cpuSeconds } from "./measure.mjs";

const CLIENTS = Number(process.argv[2] || 10000), SECONDS = Number(process.argv[3] || 10), RATE = Number(process.argv[4] || 5);
const PROBE_EVERY_MS = 5, TARGETS = ["/api/health", "/api/health/live", "/api/health/ready"];
const stack = await Stack.start({ gatewayEnv: { JOINS_PER_SECOND: "0", CONNECTIONS_MAX: "100000" } });
const [gateway] = stack.gateways, agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function probe(target) {
  return new Promise((done, fail) => {
    const began = process.hrtime.bigint();
    http.get(gateway.url + target, { agent }, (answer) => {
      answer.resume().on("end", () => done(Number(process.hrtime.bigint() - began) / 1e6));
    }).on("error", fail);
  });
}

async function probes(ms) {
  const times = [], end = Date.now() + ms;
  for (let n = 0; Date.now() < end; n++) {
    times.push(await probe(TARGETS[n % TARGETS.length]));
    await sleep(PROBE_EVERY_MS);
  }
  return times.sort((a, b) => a - b);
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
function show(what, sorted) {
  console.log(`  ${what.padEnd(44)} ${[0.5, 0.9, 0.99, 1].map((s) => `${s === 1 ? "max" : `p${s * 100}`} ${at(sorted, s).toFixed(2)} ms`).join(", ")} (${sorted.length} probes)`);
}

const taskId = await stack.createTask();
const load = new Load({ port: new URL(gateway.url).port, clients: CLIENTS, hello: `40{"token":"${stack.token()}"}`,
  ask: `420["task:join",{"taskId":"${taskId}"}]`, marker: '42["task:event_added"' });
await load.ready();
await sleep(1000);
console.log(`probes of a gateway with ${CLIENTS} websockets`);
show("at rest", await probes(3000));
await load.report();
let published = 0, cpu = cpuSeconds(gateway.child.pid);
const publishing = (async () => {
  const began = Date.now();
  for (; published < RATE * SECONDS; published++) {
    await sleep(Math.max(0, began + (published * 1000) / RATE - Date.now()));
    await stack.publish("note", taskId, { text: "x".repeat(200) });
  }
})();
const busy = await probes(SECONDS * 1000);
await publishing;
const { deliveries } = await load.expect(published * CLIENTS, { ms: 120_000 });
cpu = cpuSeconds(gateway.child.pid) - cpu;
show(`while ${RATE} events a second go to all of them`, busy);
console.log(`  ${deliveries} deliveries, ${(cpu / SECONDS * 100).toFixed(0)} % of a core   (goal: p99 at most 10 ms)`);
await load.stop();
agent.destroy();
await stack.stop();
