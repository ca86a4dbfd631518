// watcher.mjs - one person with a stock client who watches a few tasks, and holds every event
// against the rule: per task each seq once and in order; a snapshot may stand for what it covers.
import { io } from "socket.io-client";

const KEPT = 16;                               // lines of a task's log that a broken rule shows
const DELAYS = 251;                            // of so many events it is known how long they took

/** What one client was told of one task. */
class Followed {
  constructor() { this.seq = 0; this.status = null; this.lines = []; }
  note(line) {
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.shift();
  }
}

export class Watcher {
  constructor({ name, token, base, transports, tasks }) {
    Object.assign(this, { name, base, transports, problems: [], heard: 0, snapshots: 0, connects: 0, recovered: 0, refused: 0, errors: {}, delays: {}, moved: [] });
    this.tasks = new Map(tasks.map((id) => [id, new Followed()]));
    this.socket = io(base, { auth: { token }, transports, forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 1000, timeout: 10_000 });
    this.socket.on("connect", () => this.#connected());
    this.socket.on("disconnect", (reason) => { this.#count(reason); this.moved.push(Date.now()); });
    this.socket.on("connect_error", (error) => this.#count(`connect_error: ${error.message}`));
    this.socket.io.on("open", () => this.#mind(this.socket.io.engine));
    this.socket.onAny((name, payload) => this.#hear(name, payload));
  }

  #count(what) { this.errors[what] = (this.errors[what] ?? 0) + 1; }

  /** socket.io-client 4.8 hands a packet on in the next tick. One that comes in the tick in which
   *  its engine closes is put by for later, without its offset: the server rightly sends it
   *  again, and it would be heard twice. So it is dropped here. */
  #mind(engine) {
    engine.once("close", () => setTimeout(() => { this.socket.receiveBuffer.length = 0; }));
  }

  #connected() {
    this.connects++;
    for (const followed of this.tasks.values()) followed.note(`connect ${this.socket.recovered ? "recovered" : "anew"}`);
    if (this.socket.recovered) {
      this.recovered++;
      for (const [id, followed] of this.tasks) if (!followed.isJoined) this.#join(id, followed, this.connects);
    } else {
      for (const [id, followed] of this.tasks) this.#join(id, followed, this.connects);
    }
  }

  /** As a page does: until it is let in, or the connection is another. */
  async #join(taskId, followed, connection) {
    followed.isJoined = false;
    while (this.connects === connection && this.socket.connected) {
      const answer = await this.socket.timeout(15_000).emitWithAck("task:join", { taskId }).catch(() => null);
      if (answer?.ok) { followed.isJoined = true; return; }
      if (answer && !["too_many", "unavailable"].includes(answer.error.code)) this.problems.push(`${this.name} ${taskId}: join refused, ${answer.error.code}`);
      this.refused++;
      await new Promise((done) => setTimeout(done, 200 + Math.random() * 800));
    }
  }

  #hear(name, payload) {
    if (name === "error") this.#count(`error: ${payload.code}`);
    const followed = this.tasks.get(payload?.taskId);
    if (!followed || !name.startsWith("task:") || payload.seq === undefined) return;
    const { seq } = payload;
    this.heard++;
    followed.note(`${name} ${seq}`);
    if (name === "task:state") {
      this.snapshots++;
      if (seq < followed.seq) this.#wrong(followed, payload.taskId, `a snapshot at ${seq} after ${followed.seq}`);
      if (payload.events.at(-1)?.seq !== seq) this.#wrong(followed, payload.taskId, `a snapshot at ${seq} whose last event is ${payload.events.at(-1)?.seq}`);
      followed.seq = seq;
    } else if (followed.seq === 0) {
      this.#wrong(followed, payload.taskId, `${name} ${seq} before any snapshot`);
    } else if (seq !== followed.seq + 1) {
      this.#wrong(followed, payload.taskId, `${name} ${seq} after ${followed.seq}`);
      followed.seq = Math.max(seq, followed.seq);
    } else if (name === "task:event_added") {
      followed.seq = seq;                      // the last of an input's events
      const sent = Number(payload.event.payload?.text);
      if (sent > 0) this.delays[this.heard % DELAYS] = Date.now() - sent;
    }
    if (payload.status) followed.status = payload.status;
  }

  #wrong(followed, taskId, what) {
    if (this.problems.length < 20) this.problems.push(`${this.name} (${this.transports}) ${taskId}: ${what} [${followed.lines.join(", ")}]`);
  }

  report() {
    const { name, problems, heard, snapshots, connects, recovered, refused, errors, moved } = this, delays = Object.values(this.delays);
    return { name, problems, heard, snapshots, connects, recovered, refused, errors, moved, delays, isConnected: this.socket.connected,
      tasks: [...this.tasks].map(([id, { seq, status, lines }]) => ({ id, seq, status, lines })) };
  }

  close() { this.socket.disconnect(); }
}
