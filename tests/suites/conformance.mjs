// conformance.mjs - our two protocol libraries, as the echo application: against npm's servers, answer
// by answer, and under npm's own clients.
import { existsSync } from "node:fs";
import path from "node:path";
import { runTap, sum } from "./tap.mjs";

export async function run({ root, build, logs }) {
  const folder = path.join(root, "tests/conformance");
  const results = [];
  for (const program of ["differential", "clients", "languages"]) {
    if (!existsSync(path.join(folder, "node_modules"))) {
      results.push({ passed: 0, failed: 0, skipped: [{ name: `conformance/${program}`, reason: "npm modules are not installed: make deps" }] });
      continue;
    }
    results.push(await runTap({
      isChained: true, name: `conformance/${program}`, argv: [process.execPath, `${program}.mjs`], cwd: folder,
      env: { B: build, TASKWIRE_BUILD: path.join(root, build) }, log: path.join(logs, `conformance-${program}.log`), timeoutMs: 900_000,   // compilers may have to be fetched first
    }));
  }
  return sum(results);
}
