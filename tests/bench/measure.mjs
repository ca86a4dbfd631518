// measure.mjs - what the benches share: CPU and memory of a process, the load generator.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { build } from "../integration/harness.mjs";

/** User and system CPU seconds that a process has used (the kernel counts in 10 ms). */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident bytes of a process. */
export function rssBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

/** Resident bytes that are the process's own (not file pages). */
export function anonBytes(pid) {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** Many clients of one server. */
export class Load {
  constructor({ port, clients, target = "/socket.io/?EIO=4&transport=websocket", hello = "-", ask = "-", marker = "42" }) {
    this.child = spawn(path.join(build, "bin/load"), [port, clients, target, hello, ask, marker].map(String),
      { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  async line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error("the load generator ended");
    return Object.fromEntries(value.split(" ").map((w) => w.split("=")).map(([k, v]) => [k, Number(v)]));
  }
  async ready() {
    const { lost } = await this.line();
    if (lost) throw new Error(`${lost} clients could not connect`);
  }
  /** What came since the last call. */
  async report() {
    this.child.stdin.write("\n");
    return this.line();
  }
  /** Wait until `count` deliveries came; gives the sums. */
  async expect(count, { ms = 60_000 } = {}) {
    const sums = { deliveries: 0, bytes: 0, lost: 0, first_us: 0, last_us: 0 };
    for (const end = Date.now() + ms; sums.deliveries < count;) {
      if (Date.now() > end) throw new Error(`${sums.deliveries} of ${count} deliveries came`);
      await new Promise((done) => setTimeout(done, 50));
      const r = await this.report();
      sums.deliveries += r.deliveries;
      sums.bytes += r.bytes;
      sums.lost = r.lost;
      if (r.deliveries) { sums.first_us ||= r.first_us; sums.last_us = r.last_us; }
    }
    return sums;
  }
  stop() { this.child.stdin.end(); return new Promise((done) => this.child.on("exit", done)); }
}
