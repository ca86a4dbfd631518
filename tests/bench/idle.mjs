// idle.mjs - what an idle websocket connection costs the gateway in user-space memory.
//
//   node tests/bench/idle.mjs [clients=18000]
//
// Growth of the process's resident memory divided by connections. A connection here is a
// whole one: an accepted Socket.IO socket of a person with a token.
import { Stack, sleep } from "../integration/harness.mjs";
import { Load, anonBytes, rssBytes } from "./measure.mjs";

const CLIENTS = Number(process.argv[2] || 18000);
const stack = await Stack.start({ gatewayEnv: { JOINS_PER_SECOND: "0", LOG_LEVEL: "warn" } });
const { pid } = stack.gateways[0].child;
await sleep(1000);
const before = { rss: rssBytes(pid), anon: anonBytes(pid) };
const load = new Load({ port: new URL(stack.url).port, clients: CLIENTS, hello: `40{"token":"${stack.token()}"}`, ask: '420["no:such",{}]', marker: "42" });
const answered = load.ready();
await Promise.race([answered, sleep(60_000).then(() => { throw new Error("not all connected"); })]);
await sleep(2000);
const after = { rss: rssBytes(pid), anon: anonBytes(pid) };
console.log(`${CLIENTS} idle websocket connections on one gateway`);
console.log(`  RSS ${before.rss >> 10} → ${after.rss >> 10} KiB: ${((after.rss - before.rss) / CLIENTS).toFixed(0)} bytes per connection   (goal: at most 1024)`);
await load.stop();
await stack.stop();
