// `make run` as a newcomer meets it: it comes up, a task lives its life, Ctrl-C leaves nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Program, Stack, build, freePort, root, sleep, until } from "./harness.mjs";
import { checkLog, watchOneLife } from "./main_job.mjs";

const exec = promisify(execFile);

for (const store of ["sqlite", "mongo"]) {
  test(`make run with STORE=${store} shows a life moved by the simulator, and stops clean`, async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), "taskwire-run-"));
    await chmod(folder, 0o711);            // its processes are looked for by its name, so all stay in it
    const port = await freePort();
    const log = path.join(folder, "run.log");
    const run = new Program("run", ["bash", path.join(root, "deploy/run.sh")], {
      log, env: { B: build, PORT: String(port), RUN_DIR: folder, STORE: store, PACE_MS: "60" },
    });
    const stack = new Stack();
    stack.clients = [];
    stack.gateways = [{ url: `http://localhost:${port}` }];
    let failure = null;
    try {
      await until("it says where it runs", async () => {
        const text = await readFile(log, "utf8");
        if (!run.isRunning) throw new Error(`it ended: ${text}`);
        return text.includes(`http://localhost:${port}`);
      }, { ms: 120_000 });
      const page = await fetch(stack.url);
      assert.equal(page.status, 200);
      assert.match(await page.text(), /<title>Taskwire/);
      assert.match(page.headers.get("content-security-policy"), /default-src/);

      const { stdout } = await exec(path.join(build, "bin/taskctl"), ["token", "--org", "demo", "--sub", "ann"],
        { env: { ...process.env, JWT_SECRET_FILE: path.join(folder, "jwt.secret") } });
      stack.token = () => stdout.trim();
      // Lives end in merged, failed or closed, as the simulator draws: one of a few is merged.
      for (let tries = 0; ; tries++) {
        const lives = await watchOneLife(stack, async (id) => {
          const client = stack.clients.at(-1);
          await until("it needs answers or ends", async () => {
            const { body } = await stack.call("GET", `/api/tasks/${id}`);
            if (body.status === "needs_clarification") {
              await stack.call("POST", `/api/tasks/${id}/clarify`, { body: { answers: body.questions.map(() => "As you think best.") } });
            }
            return ["merged", "failed"].includes(body.status);
          }, { ms: 60_000, every: 100 });
          const { body } = await stack.call("GET", `/api/tasks/${id}`);
          if (body.status === "failed") client.ended = true;
          if (client.ended) throw new Error("failed life");
        }).catch((error) => { if (error.message !== "failed life" || tries > 8) throw error; return null; });
        if (!lives) continue;
        const seen = checkLog(lives.dashboard.log, lives.taskId);
        assert.equal(seen.names.at(-1), "task:pr_merged");
        break;
      }
    } catch (error) {
      failure = error;                     // what follows must not hide it
    } finally {
      for (const c of stack.clients) c.disconnect();
      run.signal("SIGINT");
      const end = await Promise.race([run.ended, sleep(20_000)]);
      const { stdout } = await exec("pgrep", ["-f", "--", folder]).catch(() => ({ stdout: "" }));
      const left = stdout.trim().split("\n").filter(Boolean);
      for (const pid of left) { try { process.kill(Number(pid), "SIGKILL"); } catch { /* gone */ } }
      if (failure) throw failure;
      assert.deepEqual(end, { code: 0, signal: null });
      assert.deepEqual(left, [], "no process is left");
      await rm(folder, { recursive: true, force: true });
    }
  });
}
