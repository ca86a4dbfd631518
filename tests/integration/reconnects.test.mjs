// A crowd that keeps coming back, through three gateways in plain round robin, half of it polling
// only: nobody meets an error, loses an event or hears one twice.
//
// TASKWIRE_RECONNECTS=300x20 sets people x reconnects of each; what `make test` runs is smaller.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, freePort, sleep, until } from "./harness.mjs";

const [PEOPLE, ROUNDS] = (process.env.TASKWIRE_RECONNECTS || "60x5").split("x").map(Number);
const NOTE_EVERY_MS = 200;
const FULL = PEOPLE * ROUNDS > 1000;

/** One person: what they heard, held against what they should have. */
class Person {
  constructor(socket) {
    this.socket = socket;
    this.seq = 0;                              // of the last event, snapshot or live
    this.lost = this.repeated = this.heard = this.connects = 0;
    this.errors = [];
    this.expected = null;                      // the reason of a disconnect that we ask for
    socket.on("task:state", (state) => {
      if (state.seq < this.seq) this.lost += this.seq - state.seq;
      this.seq = state.seq;
    });
    socket.on("task:event_added", ({ seq }) => {
      this.heard++;
      if (seq <= this.seq) this.repeated++;
      else this.lost += seq - this.seq - 1;
      this.seq = seq;
    });
    socket.on("connect", () => { this.connects++; });
    for (const name of ["error", "connect_error"]) socket.on(name, (e) => this.errors.push(`${name}: ${e.message} ${e.context?.responseText ?? ""}`));
    socket.on("disconnect", (reason, details) => {
      if (reason !== this.expected) this.errors.push(`${reason}: ${details?.description} ${details?.context?.responseText ?? ""}`);
    });
  }

  async join(taskId) {
    const answer = await this.socket.timeout(20_000).emitWithAck("task:join", { taskId });
    if (!answer.ok) this.errors.push(`join: ${JSON.stringify(answer)}`);
  }

  /** Leave in one of three ways, and be back. */
  async comeBack(round, taskId) {
    const { socket } = this, before = this.connects;
    const websocket = socket.io.engine.transport.ws;
    if (round % 3 === 0) {
      this.expected = "io client disconnect";
      socket.disconnect().connect();
    } else if (round % 3 === 1 && websocket) {
      this.expected = "transport close";
      websocket.terminate();
    } else {
      this.expected = "forced close";
      socket.io.engine.close();
    }
    await until("connected again", () => this.connects > before, { ms: 60_000 });
    this.expected = null;
    if (!socket.recovered) await this.join(taskId);
  }
}

async function counters(gateways) {
  const sums = {};
  for (const g of gateways) {
    for (const line of (await (await fetch(`http://127.0.0.1:${g.metrics}/metrics`)).text()).split("\n")) {
      const found = /^(taskwire_\w+)(\{.*\})? (\S+)$/.exec(line);
      if (found) sums[found[1] + (found[2] ?? "")] = (sums[found[1] + (found[2] ?? "")] ?? 0) + Number(found[3]);
    }
  }
  return sums;
}

test(`${PEOPLE} people come back ${ROUNDS} times each, half of them polling only`, async () => {
  const stack = await Stack.start({ gateways: 0 });
  try {
    for (let i = 0; i < 3; i++) {
      const metrics = await freePort();
      (await stack.startGateway({ METRICS_PORT: String(metrics) })).metrics = metrics;
    }
    const front = await stack.startBalancer();
    const taskId = await stack.createTask();
    let notes = 0, stopped = false;
    const publishing = (async () => {
      while (!stopped) {
        await stack.publish("note", taskId, { text: String(++notes) });
        await sleep(NOTE_EVERY_MS);
      }
    })();
    const began = Date.now();
    const people = await Promise.all(Array.from({ length: PEOPLE }, async (_, i) => {
      await sleep(i * 5);
      const transports = i % 2 === 0 ? ["polling"] : ["polling", "websocket"];
      const person = new Person(await stack.connect({ base: front, transports, token: stack.token(`p${i}`), reconnectionDelay: 10, reconnectionDelayMax: 50, timeout: 60_000 }));
      await person.join(taskId);
      for (let round = 0; round < ROUNDS; round++) {
        await sleep(100 + Math.random() * 400);
        await person.comeBack(round, taskId);
      }
      return person;
    }));
    stopped = true;
    await publishing;
    const seconds = (Date.now() - began) / 1000;
    await until("everybody is where the task is", () => people.every((p) => p.seq === notes + 1), { ms: 20_000 });
    const sum = (field) => people.reduce((all, p) => all + p[field], 0);
    const errors = people.flatMap((p) => p.errors);
    const seen = await counters(stack.gateways);
    const refused = Object.entries(seen).filter(([name, n]) => /^taskwire_(relay|hop)_refused_total|^taskwire_relay_tunnels_cut_total/.test(name) && n !== 0);
    console.log(`# ${PEOPLE} people, ${sum("connects")} reconnects in ${seconds.toFixed(1)} s; ${notes} events, ${sum("heard")} heard live; ` +
      `${errors.length} errors, ${sum("lost")} lost, ${sum("repeated")} repeated, ${errors.filter((e) => e.includes("Session ID unknown")).length} "Session ID unknown"; ` +
      `${seen.taskwire_relay_passed_total} requests and ${seen.taskwire_relay_tunnels_opened_total} websockets passed on, ${refused.length} refused`);
    assert.deepEqual(errors.slice(0, 5), []);
    assert.deepEqual([sum("lost"), sum("repeated")], [0, 0]);
    assert.deepEqual(refused, []);
    assert.ok(sum("connects") >= PEOPLE * ROUNDS);
    assert.ok(seen.taskwire_relay_passed_total > PEOPLE * ROUNDS);
    assert.ok(seen.taskwire_relay_tunnels_opened_total > 0);
  } finally {
    await stack.stop();
  }
}, { timeout: FULL ? 900_000 : 170_000 });
