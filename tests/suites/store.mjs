// store.mjs - the store's conformance suite, over every kind of store.
//
// SQLite in a folder of its own; the MongoDB-wire server of tests/mongo, started here with fsync
// on, killed and frozen as the suite goes; and any server named by TASKWIRE_TEST_MONGODB_URL,
// which is not killed. A server of tests/mongo that cannot be had is a failure; only where
// TASKWIRE_WITHOUT_MONGO=1 says that it is known to be missing is its part a skip in the summary, and
// never under CI.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, chmodSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "../integration/harness.mjs";
import { runTap, sum } from "./tap.mjs";

const exec = promisify(execFile);
const START_MS = 30 * 60_000; // the first time it is fetched and built; each download has its own limit

/** What a server that cannot be had does to the result. */
export function withoutServer({ CI, TASKWIRE_WITHOUT_MONGO }, why) {
  if (TASKWIRE_WITHOUT_MONGO === "1" && !CI) return { passed: 0, failed: 0, skipped: [{ name: "store over mongo", reason: why }] };
  console.log(`  FAIL  store over mongo: ${why}`);
  return { passed: 0, failed: 1, skipped: [] };
}

export async function run({ root, build, logs, sanitized }) {
  const binary = path.join(root, build, "tests/integration/store_suite");
  const script = path.join(root, "tests/mongo/server.sh");
  const folder = mkdtempSync(path.join(os.tmpdir(), "taskwire-store-"));
  chmodSync(folder, 0o755); // the server's unprivileged user passes through it
  const env = { TM_RUN: path.join(folder, "mongo"), TM_DURABLE: "1", CMOCKA_MESSAGE_OUTPUT: "TAP" };
  const suite = (name, ...args) => runTap({
    isChained: true, name: `store over ${name}`, argv: [binary, ...args], cwd: root, env,
    log: path.join(logs, `store-${name}.log`), timeoutMs: sanitized ? 900_000 : 420_000,
  });
  const results = [];

  try {
    results.push(await suite("sqlite", `sqlite:${path.join(folder, "suite.db")}`));
    try {
      const started = await exec(script, ["start", String(await freePort())],
        { env: { ...process.env, ...env }, timeout: START_MS });
      results.push(await suite("mongo", started.stdout.trim(), "--server", script));
    } catch (error) {
      results.push(withoutServer(process.env, String(error.stderr || error.message).trim().split("\n").pop()));
    }
    if (process.env.TASKWIRE_TEST_MONGODB_URL)
      results.push(await suite("named-mongodb", process.env.TASKWIRE_TEST_MONGODB_URL));
    else
      results.push({ passed: 0, failed: 0, skipped: [{ name: "store over a named MongoDB",
        reason: "TASKWIRE_TEST_MONGODB_URL is not set" }] });
  } finally {
    await exec(script, ["stop"], { env: { ...process.env, ...env } }).catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  }
  return sum(results);
}
