// run.mjs - runs the suites and sums them up.
//
//   node tests/run.mjs [suite ...]      B=build/release (what to test), SAN (set for sanitizers)
//
// Quick suites run one after the other; those that mostly wait for real servers run together, a
// few programs at a time (tests/suites/tap.mjs).
// Each suite is a file in tests/suites/ that exports `run(context)` and gives back
// {passed, failed, skipped: [{name, reason}]}. The last line printed is
// `N passed, N failed, N skipped`, with each skip listed above it.
import { accessSync, constants, mkdirSync, readdirSync, statfsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Servers in tests sync every write, and dozens of them share one disk. They are killed, never
 *  unplugged, so memory keeps for them what a disk would: where there is plenty, it is used. */
function folderInMemory() {
  const folder = "/dev/shm", enough = 8 * 2 ** 30;
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= enough ? folder : null;
  } catch {
    return null;
  }
}
process.env.TMPDIR ??= folderInMemory() ?? "/tmp";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const build = process.env.B || "build/release";
const logs = path.join(root, build, "test-logs");
mkdirSync(logs, { recursive: true });

const order = ["lint", "unit", "web", "fuzz", "sim", "store", "integration", "conformance", "chaos", "browser"];
const together = ["store", "integration", "conformance", "chaos", "browser"];
const there = readdirSync(path.join(root, "tests/suites"))
  .filter((f) => f.endsWith(".mjs") && f !== "tap.mjs")
  .map((f) => f.slice(0, -4))
  .sort((a, b) => order.indexOf(a) - order.indexOf(b));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : there;

let passed = 0, failed = 0;
const skipped = [];

async function runSuite(name) {
  const begun = Date.now();
  const { run } = await import(pathToFileURL(path.join(root, "tests/suites", `${name}.mjs`)));
  let result;
  try {
    result = await run({ root, build, logs, sanitized: Boolean(process.env.SAN) });
  } catch (error) {
    console.log(`  FAIL  ${name}: ${error.stack || error}`);
    result = { passed: 0, failed: 1, skipped: [] };
  }
  const seconds = ((Date.now() - begun) / 1000).toFixed(1);
  console.log(`  ${name}: ${result.passed} passed, ${result.failed} failed, ${result.skipped.length} skipped (${seconds} s)`);
  passed += result.passed;
  failed += result.failed;
  skipped.push(...result.skipped);
}

for (const name of wanted) {
  if (!there.includes(name)) {
    console.log(`no suite '${name}'; there are: ${there.join(" ")}`);
    process.exit(2);
  }
}
for (const name of wanted.filter((n) => !together.includes(n))) await runSuite(name);
await Promise.all(wanted.filter((n) => together.includes(n)).map(runSuite));
for (const { name, reason } of skipped) console.log(`  SKIP  ${name}: ${reason}`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
