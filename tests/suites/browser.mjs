// browser.mjs - the page in real Chromium against real services (node:test files under
// tests/browser), two files at a time.
import { readdirSync } from "node:fs";
import path from "node:path";
import { inParallel, runTap, sum } from "./tap.mjs";

export async function run({ root, build, logs }) {
  const base = path.join(root, "tests/browser");
  const jobs = readdirSync(base).sort().filter((f) => f.endsWith(".test.mjs")).map((file) => () => runTap({
    isChained: true, name: file, argv: [process.execPath, "--test-reporter=tap", path.join(base, file)], cwd: root,
    env: { TASKWIRE_BUILD: path.join(root, build) },
    log: path.join(logs, `browser-${file}.log`), timeoutMs: 600_000,
  }));
  return sum(await inParallel(2, jobs));
}
