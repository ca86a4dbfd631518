// fuzz.mjs - replays each fuzzer's corpus; the fuzzing itself is `make fuzz`.
import { readdirSync } from "node:fs";
import path from "node:path";
import { runTap, sum } from "./tap.mjs";

export async function run({ root, build, logs }) {
  const results = [];
  for (const file of readdirSync(path.join(root, "tests/fuzz")).sort()) {
    const name = /^fuzz_(.*)\.c$/.exec(file)?.[1];
    if (!name) continue;
    const corpus = path.join("tests/fuzz/corpus", name);
    const inputs = readdirSync(path.join(root, corpus)).sort().map((f) => path.join(corpus, f));
    results.push(await runTap({
      name: `fuzz ${name}`, argv: [path.join(root, build, `tests/fuzz/replay_${name}`), ...inputs], cwd: root,
      log: path.join(logs, `fuzz-${name}.log`),
    }));
  }
  return sum(results);
}
