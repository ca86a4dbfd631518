// languages.mjs - the clients that the registries offer, unchanged, against the echo application
// and against gateways in plain round robin behind HAProxy. Prints TAP and a summary.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import readline from "node:readline";
import { Program, Stack, build, freePort, sleep, until } from "../integration/harness.mjs";
import { toolchains } from "./toolchains.mjs";

const TRANSPORTS = ["websocket", "polling", "upgrade"];
const GATEWAYS = 3;
let count = 0, passed = 0, failed = 0;

function say(name, line) {
  const m = /^(not )?ok \d+ - (.*)$/.exec(line);
  if (!m) return;
  m[1] ? failed++ : passed++;
  console.log(`${m[1] || ""}ok ${++count} - ${name}: ${m[2]}`);
}

/** Run one client to its end; `onJoined` is called when it says that it has joined. */
async function runClient(name, argv, onJoined) {
  const child = spawn(argv[0], argv.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const timer = setTimeout(() => process.kill(-child.pid, "SIGKILL"), 60_000);
  let errors = "", said = 0;
  child.stderr.on("data", (d) => { errors += d; });
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    said++;
    if (line === "# joined") onJoined?.();
    say(name, line);
  });
  const [code] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0 || said === 0) say(name, `not ok 1 - ended with ${code}: ${errors.trim().slice(-300).replaceAll("\n", " | ")}`);
}

const { clients, skipped } = await toolchains();

// --- the echo application ---
const port = await freePort();
const echo = new Program("echo", [path.join(build, "bin/echo"), "chat", String(port)]);
await until("the echo application answers", () => fetch(`http://127.0.0.1:${port}/socket.io/`).then(() => true, () => false));
for (const [name, argv] of Object.entries(clients)) {
  for (const transport of TRANSPORTS) {
    await runClient(`${name}, ${transport}, echo`, [...argv, `http://127.0.0.1:${port}`, transport, "echo"]);
  }
}
const end = await echo.stop();
say("echo", `${end.code === 0 ? "" : "not "}ok 1 - the echo application ends cleanly`);

// --- gateways in round robin ---
const stack = await Stack.start({ gateways: GATEWAYS });
const front = await stack.startBalancer();
for (const [name, argv] of Object.entries(clients)) {
  for (const transport of TRANSPORTS) {
    const taskId = await stack.createTask();
    await runClient(`${name}, ${transport}, three gateways`,
      [...argv, front, transport, "gateway", stack.token(), taskId],
      async () => {
        for (let i = 0; i < 20; i++) await stack.publish("note", taskId, { text: `note ${i}` });
        await stack.publish("note", taskId, { text: "done" });
      });
    await sleep(110);
  }
}
await stack.stop();

for (const { name, reason } of skipped) console.log(`ok ${++count} - ${name} # SKIP ${reason}`);
console.log(`1..${count}`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(failed ? 1 : 0);
