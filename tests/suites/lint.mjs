// lint.mjs - tests/lint.sh as a suite: each check counts as one test.
import { spawnSync } from "node:child_process";
import path from "node:path";

export async function run({ root }) {
  const { stdout, stderr } = spawnSync(path.join(root, "tests/lint.sh"), { encoding: "utf8", timeout: 300_000 });
  const m = /^(\d+) passed, (\d+) failed/m.exec(stdout || "");
  if (!m) throw new Error(`lint.sh said: ${stdout}${stderr}`);
  if (m[2] !== "0") console.log(stdout.trimEnd());
  return { passed: Number(m[1]), failed: Number(m[2]), skipped: [] };
}
