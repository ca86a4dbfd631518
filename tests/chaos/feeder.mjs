// feeder.mjs - internal services that publish CloudEvents to Redis at a steady rate, whatever
// happens to Redis: while it is away they wait, and then go on at the same rate.
import net from "node:net";
import { randomBytes } from "node:crypto";

const TURN_MS = 20;
const MOVES = ["pr_opened", "pr_updated", "pr_updated", "pr_closed"];   // round and round: pr_closed may be reopened
const MOVE_EVERY = 5;                          // the other inputs are notes, which are always legal

function resp(...args) {
  return `*${args.length}\r\n${args.map((a) => `$${Buffer.byteLength(a)}\r\n${a}\r\n`).join("")}`;
}

export class Feeder {
  constructor({ port, ids, rate }) {
    Object.assign(this, { port, rate, sent: 0, acknowledged: 0, run: randomBytes(6).toString("hex") });
    this.tasks = ids.map((id) => ({ id, inputs: 0, moves: 0 }));
    this.begun = this.last = Date.now();
    this.due = 0;
    this.#connect();
    this.timer = setInterval(() => this.#turn(), TURN_MS);
  }

  #connect() {
    if (this.isStopped) return;
    this.link = net.connect(this.port, "127.0.0.1");
    this.link.setNoDelay(true).setEncoding("latin1");
    this.link.on("connect", () => { this.isUp = true; });
    this.link.on("data", (text) => { this.acknowledged += (text.match(/^\$/gm) ?? []).length; });
    this.link.on("error", () => {});
    this.link.on("close", () => { this.isUp = false; setTimeout(() => this.#connect(), 50); });
  }

  #data(task) {
    if (++task.inputs % MOVE_EVERY !== 0) return ["note", { text: String(Date.now()) }];
    const move = MOVES[task.moves++ % MOVES.length];
    if (move === "pr_opened") return [move, { prNumber: 7, prUrl: "https://github.com/acme/shop/pull/7", prTitle: "Paint the door" }];
    return [move, move === "pr_updated" ? { prState: task.moves % 2 ? "draft" : "open" } : {}];
  }

  #turn() {
    const now = Date.now();
    this.due = Math.min(this.due + ((now - this.last) * this.rate) / 1000, this.rate);
    this.last = now;
    if (!this.isUp) { this.due = 0; return; }
    let out = "";
    for (; this.due >= 1; this.due--) {
      const task = this.tasks[Math.floor(Math.random() * this.tasks.length)], [type, data] = this.#data(task);
      out += resp("XADD", "tasks:ingest", "*", "event", JSON.stringify({ specversion: "1.0", id: `${this.run}-${this.sent}`, source: "/chaos",
        type: `task.${type}`, subject: task.id, time: new Date(now).toISOString(), data }));
      this.sent++;
    }
    if (out) this.link.write(out);
  }

  stop() {
    this.isStopped = true;
    clearInterval(this.timer);
    this.link.end();
    return { sent: this.sent, acknowledged: this.acknowledged, seconds: (Date.now() - this.begun) / 1000 };
  }
}
