// store.mjs - what pages, questions, counts and writes cost with many tasks in the store.
//
//   make bench BENCHES=store        SQLITE_TASKS=1000000 MONGO_TASKS=200000 (0: leave it out)
//
// Fills an empty database first, which takes longer than the measuring: some eight minutes for a
// million tasks in SQLite, five to twelve for 200,000 in the MongoDB-wire server.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const bench = path.join(process.env.TASKWIRE_BUILD || path.join(root, "build/release"), "bin/store_bench");
const script = path.join(root, "tests/mongo/server.sh");
const folder = mkdtempSync(path.join(os.tmpdir(), "taskwire-bench-"));
chmodSync(folder, 0o755); // the server's unprivileged user passes through it
const env = { ...process.env, TM_RUN: path.join(folder, "mongo") };

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

function measure(url, tasks) {
  const { status } = spawnSync(bench, [url, String(tasks)], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

const sqlite = Number(process.env.SQLITE_TASKS ?? 1_000_000);
const mongo = Number(process.env.MONGO_TASKS ?? 200_000);
try {
  if (sqlite > 0) {
    console.log(`SQLite, ${sqlite} tasks`);
    measure(`sqlite:${path.join(folder, "bench.db")}`, sqlite);
  }
  if (mongo > 0) {
    console.log(`MongoDB-wire server, ${mongo} tasks`);
    const url = execFileSync(script, ["start", String(await freePort())], { env }).toString().trim();
    measure(`${url}bench`, mongo);
  }
} finally {
  spawnSync(script, ["stop"], { env });
  rmSync(folder, { recursive: true, force: true });
}
