// watcher.mjs - one person with a stock client who watches a few tasks, and perhaps the dashboard,
// and holds every event against the rules. Per task each seq comes once and in order; a snapshot may
// stand for what it covers. Rows and counts of a dashboard only go forward (for a client that reads
// slowly, older ones may be left out where newer ones are on their way).
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
  constructor({ name, token, base, transports, tasks, hasBoard }) {
    Object.assign(this, { name, base, transports, hasBoard, problems: [], heard: 0, snapshots: 0, connects: 0, recovered: 0, seatless: 0, refused: 0, back: 0, errors: {}, delays: {}, moved: [] });
    this.tasks = new Map(tasks.map((id) => [id, new Followed()]));
    this.board = { isJoined: false, rows: new Map(), counts: null, rev: 0, note() {} };
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
    for (const followed of [...this.tasks.values(), this.board]) this.#ask(followed, this.socket.recovered);
    // Who was let in without a seat, as Redis was too slow to note it, has nothing to come back to.
    if (this.connects > 1 && !this.hasSeat) this.seatless++;
    this.hasSeat = Boolean(this.socket._pid);
    if (this.socket.recovered) {
      this.recovered++;
    } else {
      for (const followed of [...this.tasks.values(), this.board]) followed.isJoined = false;
    }
    for (const [taskId, followed] of this.tasks) if (!followed.isJoined) this.#join("task:join", { taskId }, followed, this.connects);
    if (this.hasBoard && !this.board.isJoined) this.#join("dashboard:join", {}, this.board, this.connects);
  }

  /** As a page does: until it is let in, or the connection is another. */
  async #join(event, payload, followed, connection) {
    while (this.connects === connection && this.socket.connected) {
      this.#ask(followed, followed.isMember);
      const answer = await this.socket.timeout(15_000).emitWithAck(event, payload).catch(() => null);
      if (answer?.ok) { followed.isJoined = true; return; }
      if (answer && !["too_many", "unavailable"].includes(answer.error.code)) this.problems.push(`${this.name} ${payload.taskId}: ${event} refused, ${answer.error.code}`);
      this.refused++;
      await new Promise((done) => setTimeout(done, 200 + Math.random() * 800));
    }
  }

  /** From now on a state may come. It may not be older than what is known now, but for one who comes
   *  anew: they get a state and then what came after it. */
  #ask(followed, isMember) {
    followed.isMember = isMember;
    followed.floor = isMember
      ? { seq: followed.seq, rev: followed.rev, rows: new Map([...(followed.rows ?? [])].map(([id, row]) => [id, row.seq])) }
      : { seq: 0, rev: 0, rows: new Map() };
  }

  #hear(name, payload) {
    if (name === "error") this.#count(`error: ${payload.code}`);
    if (name.startsWith("dashboard:")) this.#look(name, payload);
    const followed = this.tasks.get(payload?.taskId);
    if (!followed || !name.startsWith("task:") || payload.seq === undefined) return;
    const { seq } = payload;
    this.heard++;
    followed.note(`${name} ${seq}`);
    if (name === "task:state") {
      this.snapshots++;
      if (seq < followed.floor.seq) this.#wrong(followed, payload.taskId, `a snapshot at ${seq} after ${followed.floor.seq}`);
      if (seq < followed.seq) this.back++;
      followed.isMember = true;
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

  #look(name, p) {
    const { board } = this, { rows } = board;
    this.heard++;
    if (name === "dashboard:state") {
      this.snapshots++;
      for (const row of p.tasks) {
        const floor = board.floor.rows.get(row.taskId) ?? 0;
        if (row.seq < floor) this.#wrong(board, row.taskId, `a row at ${row.seq} in a state, after ${floor}`);
      }
      if (p.rev < board.floor.rev) this.#wrong(board, "counts", `of ${p.rev} in a state, after ${board.floor.rev}`);
      board.isMember = true;
      Object.assign(board, { rows: new Map(p.tasks.map((row) => [row.taskId, row])), counts: p, rev: p.rev });
    } else if (board.rev === 0) {
      this.#wrong(board, p.taskId ?? "counts", `${name} before any state`);
    } else if (name === "dashboard:task_list_updated") {
      if (p.seq <= (rows.get(p.taskId)?.seq ?? 0)) this.#wrong(board, p.taskId, `a row at ${p.seq} after ${rows.get(p.taskId).seq}`);
      rows.set(p.taskId, p);
    } else if (name === "dashboard:task_count_changed" && p.scope === "org") {
      if (p.rev <= board.rev) this.#wrong(board, "counts", `of ${p.rev} after ${board.rev}`);
      Object.assign(board, { counts: p, rev: p.rev });
    }
  }

  #wrong(followed, taskId, what) {
    if (this.problems.length < 20) this.problems.push(`${this.name} (${this.transports}) ${taskId}: ${what} [${followed.lines?.join(", ") ?? "dashboard"}]`);
  }

  report() {
    const { name, problems, heard, snapshots, back, connects, recovered, seatless, refused, errors, moved } = this, delays = Object.values(this.delays);
    return { name, problems, heard, snapshots, back, connects, recovered, seatless, refused, errors, moved, delays, isConnected: this.socket.connected,
      board: this.hasBoard ? { rows: [...this.board.rows.values()].map(({ taskId, seq, status }) => ({ taskId, seq, status })), counts: this.board.counts } : null,
      tasks: [...this.tasks].map(([id, { seq, status, lines }]) => ({ id, seq, status, lines })) };
  }

  close() { this.socket.disconnect(); }
}
