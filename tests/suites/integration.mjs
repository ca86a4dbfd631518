// integration.mjs - scenarios against real processes (node:test files under tests/integration).
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { WIDTH, inParallel, runTap, sum } from "./tap.mjs";

/** They work for less than a fifth of the time that they take: they wait until something is found stuck,
 *  a token ends, a lease is over, a process that was killed is back. */
const LIGHT = new RegExp(`^(${["taskctl/doctor_\\w+", "taskd/(admin|faults_sqlite|faults_redis|faults_mongo_server|operators)",
  "gateway/(auth|compare|feeds|flags|front|health|limits|quota|report|revoke)", "cluster|drain|github|ingest|reconnects"].join("|")})\\.test\\.mjs$`);

function scenarios(folder) {
  return readdirSync(folder).sort().flatMap((f) => {
    const full = path.join(folder, f);
    if (statSync(full).isDirectory()) return f === "node_modules" ? [] : scenarios(full);
    return f.endsWith(".test.mjs") ? [full] : [];
  });
}

export async function run({ root, build, logs, sanitized }) {
  const base = path.join(root, "tests/integration");
  // From the end: what takes longest stands in taskd/, and begun last it would run alone in the end.
  const jobs = scenarios(base).reverse().map((file) => () => {
    const name = path.relative(base, file);
    return runTap({
      name, isLight: LIGHT.test(name), argv: [process.execPath, "--test-reporter=tap", file], cwd: root,
      env: { TASKWIRE_BUILD: path.join(root, build), TASKWIRE_SANITIZED: sanitized ? "1" : "" },
      log: path.join(logs, `integration-${name.replaceAll("/", "-")}.log`),
      timeoutMs: 180_000,
    });
  });
  return sum(await inParallel(WIDTH, jobs));
}
