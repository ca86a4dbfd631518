// transitions.mjs - what a transition costs in taskd, beside the bare writes to the same store:
// rate, CPU, and how soon after the commit it is published. Ratios hold on a noisy machine.
//
//   node tests/bench/transitions.mjs [tasks=300] [sqlite,mongo]
//
// Each task lives through nine inputs of the bus, all tasks side by side, as fast as it goes;
// then some come at a human pace. The bare loops then work on the very database that this left.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { Stack, build, freePort, sleep, until } from "../integration/harness.mjs";
import { LINK, xadd } from "../integration/taskd/witness.mjs";
import { cpuSeconds } from "./measure.mjs";

const TASKS = Number(process.argv[2] || 300), STORES = (process.argv[3] || "sqlite,mongo").split(",");
const PACED = 200, PACE = 50;
const run = promisify(execFile);
const INPUTS = [
  ["analyzing"], ["llm_response", { taskType: "feature", summary: "A door is to be painted." }],
  ["dispatched", { issueNumber: 7, issueUrl: `${LINK}/issues/7`, githubBranch: "door" }], ["coding"],
  ["pr_opened", { prNumber: 8, prUrl: `${LINK}/pull/8`, prTitle: "Paint the door", prState: "open" }],
  ["pr_comment", { author: "bo", body: "Which blue?", url: `${LINK}/pull/8#c1` }],
  ["pr_updated", { prTitle: "Paint the door blue" }],
  ["pr_merged", { mergeCommitSha: "a".repeat(40), mergedAt: "2026-01-01T00:00:00.000Z" }],
  ["note", { text: "done" }],
];

async function metrics(url) {
  const text = await (await fetch(url)).text();
  const value = (name) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? 0);
  const buckets = [...text.matchAll(/^taskwire_commit_to_publish_seconds_bucket\{le="([^"]+)"\} (\d+)/gm)].map(([, le, n]) => [Number(le.replace("+Inf", "Infinity")), Number(n)]);
  return { published: value("taskwire_published_total"), buckets };
}

/** The bucket's border below which that share of the observations between two looks lies. */
function quantile(before, after, q) {
  const counts = after.buckets.map(([le, n], i) => [le, n - (before.buckets[i]?.[1] ?? 0)]);
  const all = counts.at(-1)[1];
  return counts.find(([, n]) => n >= q * all)[0] * 1000;
}

async function measure(stack, url, publish, count) {
  const before = await metrics(url), cpu = cpuSeconds(stack.taskd.child.pid), began = Date.now();
  await publish();
  const after = await until("all is published", async () => {
    const m = await metrics(url);
    return m.published - before.published >= count && m;
  }, { ms: 120_000, every: 10 });
  const seconds = (Date.now() - began) / 1000;
  const admin = { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }) };
  await until("all is marked", async () => (await stack.call("GET", "/api/admin/outbox", admin)).body.unpublished === 0, { ms: 60_000 });
  await sleep(100);
  return { rate: count / seconds, cpuMs: (cpuSeconds(stack.taskd.child.pid) - cpu) * 1e6 / count,
    p50: quantile(before, after, 0.5), p99: quantile(before, after, 0.99) };
}

/** A bare loop's own words: transitions=… seconds=… cpu=… */
async function bare(program, ...args) {
  const { stdout } = await run(path.join(build, "bin", program), args.map(String));
  const { transitions, seconds, cpu } = Object.fromEntries(stdout.trim().split(" ").map((w) => w.split("=")).map(([k, v]) => [k, Number(v)]));
  return { rate: transitions / seconds, cpuMs: cpu * 1e6 / transitions };
}

function print(name, m, reference) {
  const lag = m.p50 === undefined ? "" : `, commit to publish p50 <= ${m.p50} ms, p99 <= ${m.p99} ms`;
  const ratio = reference ? `  (${(m.rate / reference.rate).toFixed(2)} of taskd's rate)` : "";
  console.log(`  ${name.padEnd(34)} ${m.rate.toFixed(0).padStart(6)} transitions/s, ${m.cpuMs.toFixed(0).padStart(5)} ms CPU per 1,000${lag}${ratio}`);
}

for (const store of STORES) {
  const metricsPort = await freePort(), url = `http://127.0.0.1:${metricsPort}/metrics`;
  const stack = await Stack.start({ store, gateways: 0, taskdEnv: { METRICS_PORT: String(metricsPort) } });
  try {
    const ids = [];
    while (ids.length < TASKS) {
      ids.push(...await Promise.all(Array.from({ length: Math.min(50, TASKS - ids.length) }, () => stack.createTask({ description: "Paint the door of the shed" }, { base: stack.taskdUrl }))));
    }
    const count = TASKS * INPUTS.length;
    const burst = await measure(stack, url, () => Promise.all(INPUTS.flatMap(([type, data]) => ids.map((id) => xadd(stack, stack.event(type, id, data))))), count);
    const paced = await measure(stack, url, async () => {
      for (let i = 0; i < PACED; i++) {
        await xadd(stack, stack.event("note", ids[i % TASKS], { text: "paced" }));
        await sleep(1000 / PACE);
      }
    }, PACED);
    await stack.taskd.stop();
    console.log(`${store}: ${count} transitions of ${TASKS} tasks`);
    print("taskd, as fast as it goes", burst);
    print(`taskd, ${PACE} a second`, paced);
    if (store === "sqlite") {
      const file = stack.storeUrl.slice("sqlite:".length);
      print("bare SQLite, 64 share a commit", await bare("bare_sqlite", file, count, Math.min(64, TASKS)), burst);
      print("bare SQLite, each its own commit", await bare("bare_sqlite", file, Math.min(count, 1000), 1), burst);
    } else {
      const [, server, database] = /^(.*)\/([^/?]+)$/.exec(stack.storeUrl);
      print("bare MongoDB wire, 8 at a time", await bare("bare_mongo", server, database, count, 8), burst);
      print("bare MongoDB wire, one at a time", await bare("bare_mongo", server, database, Math.min(count, 500), 1), burst);
    }
  } finally {
    await stack.stop();
  }
}
