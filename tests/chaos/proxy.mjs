// proxy.mjs - a TCP proxy whose connections can be made to hang one by one: pipes.c has a process
// for each, and what is stopped takes no bytes and closes nothing.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { build } from "../integration/harness.mjs";

export class Proxy {
  /** In front of `port`; `proxy.port` is where it listens. */
  static async open(port) {
    const proxy = new Proxy();
    proxy.pipes = new Map();                   // port of a connection to the server -> pid
    proxy.program = spawn(path.join(build, "bin/pipes"), [String(port)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = readline.createInterface({ input: proxy.program.stdout });
    await new Promise((done, fail) => {
      proxy.program.once("exit", (code) => fail(new Error(`pipes ended with ${code}`)));
      lines.on("line", (line) => {
        const [first, second] = line.split(" ").map(Number);
        if (second) proxy.pipes.set(second, first);
        else done(proxy.port = first);
      });
    });
    return proxy;
  }
  /** Stop the processes whose connections to the server come from these ports; all, without.
   *  Says how many there were. */
  freeze(ports = [...this.pipes.keys()]) {
    return ports.filter((port) => {
      try { return process.kill(this.pipes.get(port), "SIGSTOP"); } catch { return false; }
    }).length;
  }
  async close() {
    const ended = new Promise((done) => this.program.once("exit", done));
    this.program.kill("SIGKILL");              // its children die with it, stopped or not
    await ended;
  }
}
