// servers.mjs -- starts echo and the reference on free ports, and ends what it started.
import { spawn } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const TOP = join(HERE, "..", "..");

function start(name, command, args) {
  return new Promise((listening, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd: HERE });
    const server = { name, child, errors: "", exit: null };
    let out = "";
    server.ended = new Promise((done) => child.on("exit", (code, signal) => { server.exit = signal ?? code; done(server.exit); }));
    child.stderr.on("data", (data) => { server.errors += data; });
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`${name} ended before it listened: ${server.errors}`)));
    child.stdout.on("data", (data) => {
      out += data;
      const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(out);
      if (found) { server.port = Number(found[1]); listening(server); }
    });
  });
}

export function echoBinary() {
  return resolve(TOP, process.env.ECHO ?? join(process.env.B ?? "build/release", "bin", "echo"));
}

export function startEcho(mode) {
  return start(`echo ${mode}`, echoBinary(), [mode, "0"]);
}

export function startReference(mode) {
  return start(`reference ${mode}`, process.execPath, ["reference.mjs", mode, "0"]);
}

// Ask it to end; returns how it did: 0 is clean.
export async function stop(server) {
  if (server.exit === null) server.child.kill("SIGTERM");
  const timer = setTimeout(() => server.child.kill("SIGKILL"), 10000);
  const exit = await server.ended;
  clearTimeout(timer);
  return exit;
}
