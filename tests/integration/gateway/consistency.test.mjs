// consistency.test.mjs - people come, go and ask again while tasks move and things break
// (SPEC C1, C3): every sequence that a client sees is checked, and in the end all hold what
// the server holds.
import test from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Stack, ask, sleep, until } from "../harness.mjs";

const SECONDS = process.env.TASKWIRE_SANITIZED ? 4 : 6;
const PEOPLE = ["ann", "bob", "carl", "dora", "emil"];

/** What one client knows, and every rule it sees broken. */
class Reader {
  constructor(socket, name, problems) {
    Object.assign(this, { socket, name, problems, tasks: new Map(), rows: null, left: new Set(), seen: 0 });
    socket.onAny((event, payload) => this.hear(event, payload));
  }
  wrong(what) { this.problems.push(`${this.name}: ${what}`); }
  hear(event, p) {
    this.seen++;
    if (event === "task:state") {
      if (p.events.at(-1).seq !== p.seq) this.wrong(`state ${p.seq} ends with event ${p.events.at(-1).seq}`);
      this.tasks.set(p.taskId, p.seq);
    } else if (event === "task:event_added") {
      const last = this.tasks.get(p.taskId);
      if (last === undefined) { if (!this.left.has(p.taskId)) this.wrong("an event before its state"); return; }
      if (p.event.seq !== last + 1) this.wrong(`task ${last} -> ${p.event.seq}`);
      this.tasks.set(p.taskId, p.event.seq);
    } else if (event === "dashboard:state") {
      this.rows = new Map(p.tasks.map((row) => [row.taskId, row.seq]));
      this.rev = p.rev;
    } else if (event === "dashboard:task_list_updated") {
      if (!this.rows) { this.wrong("a row before its dashboard"); return; }
      const last = this.rows.get(p.taskId) ?? 0;
      if (p.seq !== last + 1) this.wrong(`row ${last} -> ${p.seq}`);
      this.rows.set(p.taskId, p.seq);
    } else if (event === "dashboard:task_count_changed" && p.scope === "org") {
      if (!(p.rev > this.rev)) this.wrong(`counts of ${p.rev} after ${this.rev}`);
      this.rev = p.rev;
    }
  }
  leave(id) { this.left.add(id); this.tasks.delete(id); }
  left_is_over(id) { this.tasks.delete(id); }
}

async function someone(world, name) {
  while (!world.over) {
    try {
      const socket = await world.stack.connect({ token: world.stack.token(name), reconnection: false });
      const reader = new Reader(socket, name, world.problems);
      world.readers.push(reader);
      for (let i = Math.floor(Math.random() * 6); i >= 0 && !world.over && socket.connected; i--) {
        await act(world, reader);
        await sleep(Math.random() * 150);
      }
      const until_ms = Date.now() + (Math.random() < 0.5 ? 500 : 1e9);
      while (!world.over && socket.connected && Date.now() < until_ms) await sleep(50);
      if (!world.over) socket.disconnect();
    } catch { await sleep(100); }
  }
}

async function act(world, reader) {
  const id = world.ids[Math.floor(Math.random() * world.ids.length)];
  const dice = Math.random();
  let answer;

  if (dice < 0.5) {
    answer = await ask(reader.socket, "task:join", { taskId: id });
    if (answer.ok) reader.left.delete(id);
  } else if (dice < 0.6) {
    reader.leave(id);
    answer = await ask(reader.socket, "task:leave", { taskId: id });
    reader.left_is_over(id);
  } else if (dice < 0.8) {
    answer = await ask(reader.socket, "dashboard:join", {});
  } else {
    answer = await ask(reader.socket, "resync_requested", {});
  }
  if (answer.ok) world.joins++;
  else if (!["too_many", "unavailable"].includes(answer.error.code)) world.problems.push(`refused: ${answer.error.code}`);
}

/** Inputs as fast as one pipe takes them. */
class Feeder {
  constructor(stack, ids) {
    Object.assign(this, { stack, ids });
    this.cli = spawn("redis-cli", ["-p", String(stack.redisPort)], { stdio: ["pipe", "ignore", "ignore"] });
    this.timer = setInterval(() => { for (let i = 0; i < 6; i++) this.push(); }, 20);
  }
  push() {
    const id = this.ids[Math.floor(Math.random() * this.ids.length)];
    this.cli.stdin.write(`XADD tasks:ingest * event ${JSON.stringify(this.stack.event("note", id, { text: "n" }))}\n`);
  }
  stop() { clearInterval(this.timer); this.cli.stdin.end(); this.cli.kill(); }
}

const FAULTS = {
  "nothing breaks": async () => {},
  "subscriptions are cut": (stack) => stack.redisCall("CLIENT", "KILL", "TYPE", "pubsub"),
  "every connection to Redis is cut": async (stack) => {
    await stack.redisCall("CLIENT", "KILL", "TYPE", "pubsub");
    await stack.redisCall("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  },
  "the log is cut short": async (stack, feeder) => {
    await stack.redisCall("CLIENT", "KILL", "TYPE", "pubsub");
    for (let i = 0; i < 100; i++) feeder.push();
    await stack.redisCall("XTRIM", "tasks:log:acme", "MAXLEN", "1");
  },
  "Redis loses its memory": (stack) => stack.redisCall("FLUSHALL"),
};

for (const [fault, breakIt] of Object.entries(FAULTS)) {
  test(`readers miss nothing and hear nothing twice while ${fault}`, { timeout: 120_000 }, async () => {
    const stack = await Stack.start();
    try {
      const world = { stack, problems: [], readers: [], joins: 0, ids: [] };
      for (let i = 0; i < 4; i++) world.ids.push(await stack.createTask({ description: `task ${i}` }));
      const feeder = new Feeder(stack, world.ids);
      const people = Array.from({ length: 12 }, (_, i) => someone(world, PEOPLE[i % PEOPLE.length]));
      for (const end = Date.now() + SECONDS * 1000; Date.now() < end;) {
        await sleep(1300);
        await breakIt(stack, feeder);
      }
      feeder.stop();
      const behind = async () => {
        const truth = new Map();
        for (const id of world.ids) truth.set(id, (await stack.call("GET", `/api/tasks/${id}`)).body.seq);
        return world.readers.filter((r) => r.socket.connected &&
          [...r.tasks, ...(r.rows ?? [])].some(([id, seq]) => truth.get(id) !== seq)).length;
      };
      let quiet = 0;
      await until("all hold what the server holds", async () => {
        quiet = (await behind()) === 0 ? quiet + 1 : 0;
        return quiet >= 3;
      }, { ms: 40_000, every: 300 });
      world.over = true;
      await Promise.all(people);
      assert.deepEqual(world.problems.slice(0, 10), []);
      assert.ok(world.joins > 20, `only ${world.joins} joins`);
      assert.ok(world.readers.reduce((sum, r) => sum + r.seen, 0) > 500);
    } finally {
      await stack.stop();
    }
  });
}
