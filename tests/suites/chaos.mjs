// chaos.mjs - crowds of real clients while processes are killed or hang (node:test files under
// tests/chaos), in a short form; in full: make chaos.
import { readdirSync } from "node:fs";
import path from "node:path";
import { runTap, sum } from "./tap.mjs";

export async function run({ root, build, logs, sanitized }) {
  const base = path.join(root, "tests/chaos"), results = [];
  for (const file of readdirSync(base).sort().filter((f) => f.endsWith(".test.mjs"))) {
    results.push(await runTap({
      isChained: true, name: file, argv: [process.execPath, "--test-reporter=tap", path.join(base, file)], cwd: root,
      env: { TASKWIRE_BUILD: path.join(root, build), TASKWIRE_SANITIZED: sanitized ? "1" : "" },
      log: path.join(logs, `chaos-${file}.log`), timeoutMs: process.env.TASKWIRE_CHAOS === "full" ? 1_800_000 : 420_000,
    }));
  }
  return sum(results);
}
