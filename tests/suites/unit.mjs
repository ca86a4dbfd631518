// unit.mjs - every cmocka binary under build/<variant>/tests/unit, two at a time.
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { inParallel, runTap, sum } from "./tap.mjs";

function binaries(folder) {
  return readdirSync(folder).sort().flatMap((f) => {
    const full = path.join(folder, f);
    if (statSync(full).isDirectory()) return binaries(full);
    return f.endsWith("_test") ? [full] : [];
  });
}

export async function run({ root, build, logs }) {
  const base = path.join(root, build, "tests/unit");
  const jobs = binaries(base).map((file) => () => {
    const name = path.relative(base, file);
    return runTap({
      name, argv: [file], cwd: root,
      env: { CMOCKA_MESSAGE_OUTPUT: "TAP" },
      log: path.join(logs, `unit-${name.replaceAll("/", "-")}.log`),
    });
  });
  return sum(await inParallel(2, jobs));
}
