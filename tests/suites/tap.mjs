// tap.mjs - run a program that speaks TAP (cmocka, node --test) and count what it says.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";

// Programs of any suite share the machine. Most wait for servers more than they work, a few work
// hard, and on a crowded machine real clients run into real time-outs. So a few run always, and one
// more each time the machine was seen to be idle for a part of a second. Who does next to nothing but
// wait (`isLight`) takes a third of a place.
const ALWAYS = cpus().length + 1, MOST = Number(process.env.TASKWIRE_TEST_WIDTH) || 6 * cpus().length;
const LOOK_MS = 700, IDLE_ENOUGH = 0.2;

/** How many jobs of a suite to offer at once: the gate decides how many of them run. */
export const WIDTH = Math.max(ALWAYS, MOST);

let running = 0, looking = null;
const waiting = [];

function idleAndAll() {
  const times = cpus().map((c) => c.times), all = (t) => Object.values(t).reduce((a, b) => a + b, 0);
  return [times.reduce((sum, t) => sum + t.idle, 0), times.reduce((sum, t) => sum + all(t), 0)];
}

function admit() {
  const next = waiting.shift();
  running += next.weight;
  next.go();
}

const fits = () => waiting.length > 0 && running + waiting[0].weight <= Math.min(ALWAYS, MOST) + 0.01;

async function look() {
  while (waiting.length > 0) {
    const [idle, all] = idleAndAll();
    await new Promise((done) => setTimeout(done, LOOK_MS));
    const [idleThen, allThen] = idleAndAll();
    const isIdle = (idleThen - idle) / Math.max(1, allThen - all) > IDLE_ENOUGH;
    if (waiting.length > 0 && running < MOST && (isIdle || fits())) admit();
  }
  looking = null;
}

async function enter(weight, isChained) {
  const admitted = new Promise((go) => (isChained ? waiting.unshift({ go, weight }) : waiting.push({ go, weight })));
  while (fits()) admit();
  if (waiting.length > 0) looking ??= look();
  await admitted;
}

function leave(weight) {
  running -= weight;
  while (fits()) admit();
}

/** Run `argv`, keep its output under `log`, and count its TAP lines. What others of its suite wait
 *  for (`isChained`) goes before what nothing waits for.
 *  A program that dies, hangs past `timeoutMs` or exits non-zero without a failed line counts
 *  as one failure more. Nested TAP (indented) counts by its leaves alone. */
export async function runTap(program) {
  const weight = program.isLight ? 1 / 3 : 1;
  await enter(weight, program.isChained);
  try {
    return await runNow(program);
  } finally {
    leave(weight);
  }
}

async function runNow({ name, argv, cwd, env, log, timeoutMs = 120_000 }) {
  const out = createWriteStream(log);
  const child = spawn(argv[0], argv.slice(1), { cwd, env: { ...process.env, ...env }, detached: true });
  const lines = [];
  let rest = "";
  const take = (chunk) => {
    out.write(chunk);
    const parts = (rest + chunk).split("\n");
    rest = parts.pop();
    lines.push(...parts);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    try { process.kill(-child.pid, "SIGKILL"); } catch { /* gone already */ }
  }, timeoutMs);
  const [code, signal] = await new Promise((done) => {
    child.on("error", () => done([127, null]));
    child.on("close", (c, s) => done([c, s]));
  });
  clearTimeout(timer);
  out.end();

  const result = { passed: 0, failed: 0, skipped: [] };
  const failures = [];
  lines.forEach((line, at) => {
    const m = /^(\s*)(not )?ok \d+(?: -)? ?(.*)$/.exec(line);
    if (!m) return;
    const suite = lines.slice(at + 1, at + 6).some((l) => new RegExp(`^${m[1]}  type: 'suite'`).test(l));
    if (suite) return;
    const skip = /^(.*?)\s*# SKIP\s*(.*)$/i.exec(m[3]);
    if (skip) result.skipped.push({ name: `${name}: ${skip[1]}`, reason: skip[2] || "no reason given" });
    else if (m[2]) { result.failed++; failures.push(m[3]); }
    else result.passed++;
  });
  if (timedOut || signal || (code !== 0 && result.failed === 0)) {
    result.failed++;
    failures.push(timedOut ? `no end within ${timeoutMs / 1000} s` : signal ? `died by ${signal}` : `exit code ${code}`);
  }
  if (result.passed + result.failed + result.skipped.length === 0) {
    result.failed++;
    failures.push("ran no test");
  }
  for (const f of failures) console.log(`  FAIL  ${name}: ${f}  (${path.relative(process.cwd(), log)})`);
  return result;
}

export function sum(results) {
  return results.reduce((a, b) => ({
    passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: [...a.skipped, ...b.skipped],
  }), { passed: 0, failed: 0, skipped: [] });
}

/** Run jobs, `width` at a time, results in order. */
export async function inParallel(width, jobs) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const at = next++;
      results[at] = await jobs[at]();
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
