// web.mjs - the page's own unit tests (Vitest over gateway/web/tests/model and page).
import path from "node:path";
import { runTap } from "./tap.mjs";

export function run({ root, logs }) {
  const cwd = path.join(root, "gateway/web");
  return runTap({
    name: "web", argv: [path.join(cwd, "node_modules/.bin/vitest"), "run", "--reporter=tap-flat"], cwd,
    log: path.join(logs, "web.log"), timeoutMs: 180_000,
  });
}
