// Both services under a supervisor that speaks as systemd does: sockets that were opened for them,
// READY=1 when they can serve, WATCHDOG=1 while their loop turns, STOPPING=1 on the way out.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { after, before, test } from "node:test";
import { Stack, build, freePort, sleep, until } from "./harness.mjs";

let stack;
const supervised = [];
before(async () => { stack = await Stack.start(); });
after(async () => {
  for (const s of supervised) s.child.stdin.end();
  await stack?.stop();
});

/** A service under tests/integration/supervise: what it says is in `said`. */
async function supervise(name, sockets, env) {
  const child = spawn(path.join(build, "bin/supervise"), [sockets.join(","), path.join(build, "bin", name)],
    { env: { ...process.env, ...stack.commonEnv, ...env }, stdio: ["pipe", "pipe", openSync(stack.log(`supervised-${name}`), "a")] });
  const s = { child, said: [], ports: {}, tell: (line) => child.stdin.write(`${line}\n`),
    has: (text) => s.said.some((l) => l.startsWith(text)), clear: () => { s.said.length = 0; } };
  supervised.push(s);
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    const [word, which, port] = line.split(" ");
    if (word === "listening") s.ports[which] = Number(port);
    s.said.push(line);
  });
  await until("it listens", () => Object.keys(s.ports).length === sockets.length);
  return s;
}

const answer = (port, target) => fetch(`http://127.0.0.1:${port}${target}`).then((r) => r.status);

test("a gateway takes its sockets, says when it can serve, that its loop turns, and that it stops", async () => {
  const away = await freePort();             // no taskd there yet
  const s = await supervise("gateway", ["taskwire.socket", "metrics"],
    { TASKD_URL: `http://127.0.0.1:${away}`, WATCHDOG_USEC: "200000", DRAIN_SECONDS: "1", PORT: "1", METRICS_PORT: "1" });
  const early = answer(s.ports["taskwire.socket"], "/api/health/live");   // before anybody is there
  s.tell("start");
  assert.equal(await early, 200, "it waited in the socket");
  assert.equal(await answer(s.ports.metrics, "/metrics"), 200);
  await until("the loop turns", () => s.said.filter((l) => l === "notify WATCHDOG=1").length >= 5);
  assert.ok(!s.has("notify READY=1"), "without a taskd it cannot serve");
  const taskd = stack.beginTaskd("late-taskd", away, { STORE_URL: `sqlite:${stack.folder}/late.db` });
  await until("it is ready", () => s.has("notify READY=1"));
  assert.equal(await answer(s.ports["taskwire.socket"], "/api/health/ready"), 200);
  s.tell("signal 19");                       // SIGSTOP: a loop that does not turn says nothing
  await until("it is silent", async () => { s.clear(); await sleep(1000); return !s.has("notify WATCHDOG=1"); });
  s.tell("signal 18");
  await until("it turns again", () => s.has("notify WATCHDOG=1"));
  s.tell("signal 15");
  await until("it ends", () => s.has("exited"));
  assert.ok(s.has("notify STOPPING=1"));
  assert.ok(s.has("exited 0"), s.said.join("\n"));
  assert.ok(!s.has("notify READY=1"), "once is enough");
  await taskd.stop();
});

test("a taskd does, and nobody is refused while it is started anew on the same socket", async () => {
  const s = await supervise("taskd", ["api"], { STORE_URL: `sqlite:${stack.folder}/own.db`, WATCHDOG_USEC: "1000000", PORT: "1" });
  let refused = 0, answered = 0, goes = true;
  s.tell("start");
  await until("it is ready", () => s.has("notify READY=1"));
  const asking = (async () => {
    while (goes) {
      await new Promise((done) => {           // connections, not keep-alive: each must be taken
        const socket = net.connect(s.ports.api, "127.0.0.1", () => socket.write("GET /api/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        socket.on("data", () => { answered++; });
        socket.on("error", () => { refused++; });
        socket.on("close", done);
      });
    }
  })();
  for (let round = 0; round < 3; round++) {
    s.clear();
    s.tell("signal 15");
    await until("it ends", () => s.has("exited"));
    assert.ok(s.has("notify STOPPING=1"));
    assert.ok(s.has("exited 0"), s.said.join("\n"));
    s.tell("start");
    await until("it is ready again", () => s.has("notify READY=1"));
  }
  goes = false;
  await asking;
  assert.equal(refused, 0);
  assert.ok(answered > 10, String(answered));
  s.tell("signal 15");
  await until("it ends", () => s.said.filter((l) => l.startsWith("exited")).length === 1);
});
