// chaos.test.mjs - a crowd watches tasks that move all the time while a gateway, a taskd and
// Redis are killed, each again and again (SPEC C1 to C3, P3). What every client hears is checked as it
// comes (watcher.mjs); in the end all must hold what the store holds.
//
// TASKWIRE_CHAOS=full is what `make chaos` runs: 500 clients, 100 tasks, two minutes. Any number can
// be set: TASKWIRE_CHAOS_CLIENTS, _TASKS, _RATE, _SECONDS, _STORES (mongo,sqlite).
import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep, until } from "../integration/harness.mjs";
import { World } from "./world.mjs";

const IS_FULL = process.env.TASKWIRE_CHAOS === "full";
const setting = (name, short, full) => Number(process.env[`TASKWIRE_CHAOS_${name}`] || (IS_FULL ? full : short));
const CLIENTS = setting("CLIENTS", 48, 500), TASKS = setting("TASKS", 20, 100);
const SECONDS = setting("SECONDS", 20, 120);
// A stored input costs FerretDB and PostgreSQL some 5 ms of CPU, everybody else as much again, half of it
// the clients: two cores carry 200 a second, and are behind for some seconds after each kill.
const RATE = setting("RATE", 40, 200);
const STORES = (process.env.TASKWIRE_CHAOS_STORES || (IS_FULL ? "mongo,sqlite" : "mongo")).split(",");

// One after the other, evenly over the time.
const KILLS = IS_FULL
  ? [["gateway"], ["taskd"], ["redis", "kept"], ["gateway"], ["taskd"], ["redis", "lost"], ["gateway"], ["taskd"], ["redis", "older"]]
  : [["gateway"], ["taskd"], ["redis", "lost"]];

async function breakThings(world) {
  const begun = Date.now(), step = (SECONDS * 1000) / KILLS.length;
  for (const [at, kill] of KILLS.entries()) {
    if (KILLS[at + 1]?.[1] === "older") await world.keepCopy();
    await sleep(begun + step * (at + 0.3) - Date.now());
    await world.kill(kill, Math.floor(at / 3));
  }
  await sleep(begun + SECONDS * 1000 - Date.now());
}

function percentile(sorted, share) { return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0; }

async function tell(world, fed, truth, settled, reports) {
  const sum = (field) => reports.reduce((all, r) => all + r[field], 0);
  const delays = reports.flatMap((r) => r.delays).sort((a, b) => a - b);
  const stored = [...truth.values()].reduce((all, t) => all + t.seq, 0) - 2 * world.ids.length;
  const seen = await world.counters(), cpu = await world.cpuSpent();
  const errors = {};
  for (const r of reports) for (const [what, n] of Object.entries(r.errors)) errors[what] = (errors[what] ?? 0) + n;
  console.log(`# ${fed.acknowledged} of ${fed.sent} inputs taken by Redis in ${fed.seconds.toFixed(0)} s, ${stored} stored; settled ${settled.toFixed(1)} s later`);
  console.log(`# ${sum("heard")} events heard, ${sum("snapshots")} snapshots (${sum("back")} for one who knew more); ${sum("connects")} connects, ${sum("recovered")} recovered, ${sum("refused")} joins to be repeated`);
  console.log(`# from publishing to hearing: median ${percentile(delays, 0.5)} ms, 99 % ${percentile(delays, 0.99)} ms, outages included`);
  console.log(`# killed: ${world.killed.join("; ")}`);
  console.log(`# gateways now: ${["feed_log_reads", "feed_resyncs", "room_gaps", "canary_resets", "taskd_failovers"].map((n) => `${n} ${seen[`taskwire_${n}_total`]}`).join(", ")}`);
  console.log(`# CPU seconds: ${Object.entries(cpu).map(([name, s]) => `${name} ${s.toFixed(1)}`).join(", ")}`);
  console.log(`# disconnects: ${JSON.stringify(errors)}`);
}

for (const store of STORES) {
  const taskds = store === "sqlite" ? 1 : 2;
  test(`${CLIENTS} clients see ${RATE} inputs/s without gap or repeat while three gateways, ${taskds} taskd over ${store} and Redis are killed`, async () => {
    const world = await World.start({ store, taskds, gateways: 3, clients: CLIENTS, crowds: CLIENTS > 100 ? 2 : 1, tasks: TASKS, watches: 5, rate: RATE });
    try {
      world.feed();
      await breakThings(world);
      const fed = world.feeder.stop(), ended = Date.now();
      await world.settle();
      const settled = (Date.now() - ended) / 1000, truth = await world.truth();
      let left;
      await until("all hold what the store holds", async () => (left = await world.differences(truth)).length === 0, { ms: 120_000, every: 500 })
        .catch(() => {});
      const reports = await world.reports();
      await tell(world, fed, truth, settled, reports);
      assert.deepEqual(left.slice(0, 5), []);
      assert.deepEqual(reports.flatMap((r) => r.problems).slice(0, 5), []);
      assert.equal(world.killed.length, KILLS.length);
      assert.ok(reports.every((r) => r.tasks.length === 5 && r.heard > 0));
      assert.ok(reports.some((r) => r.recovered > 0), "somebody's connection was recovered");
    } finally {
      await world.stop();
    }
  });
}
