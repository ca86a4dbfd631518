// sim.mjs - seeded histories of all services in a modelled world (tests/sim); many more: make sim.
import path from "node:path";
import { runTap } from "./tap.mjs";

export function run({ root, build, logs, sanitized }) {
  return runTap({
    name: "sim", argv: [path.join(root, build, "bin/sim"), "--tap", "--count", sanitized ? "100" : "1000"],
    cwd: root, log: path.join(logs, "sim.log"), timeoutMs: 300_000,
  });
}
