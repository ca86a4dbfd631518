// Two taskd on one MongoDB, and everybody wants to be first: edits of the same seq, answers to
// the same question, inputs of the bus in between. Exactly one wins each time, and the timeline
// is what the winners were told (SPEC T3, T4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, until } from "../harness.mjs";
import { LINK, Witness, deadEvents, logIsRight, publish, settled, storedTasks, task, timeline, xadd } from "./witness.mjs";

const RACES = Number(process.env.TASKWIRE_RACES || 1000);   // transitions that were fought for
const TASKS = 16;

let stack, urls, fought = 0, won = 0, lost = 0;

/** A task, and what its winners were told: seq -> what must stand there. */
class Field {
  static async make() {
    const f = new Field();
    f.id = await stack.createTask({ description: "Fought for" }, { base: urls[0] });
    f.seq = 1;
    f.told = new Map([[1, "created"]]);
    f.said = 0;
    return f;
  }

  call(method, path, n, body, headers) {
    return stack.call(method, `/api/tasks/${this.id}${path}`, { base: urls[n % urls.length], body, headers });
  }

  win(answer, what) {
    const seq = Number(answer.headers.get("etag")?.replaceAll('"', "") ?? answer.body.seq);
    assert.ok(seq > 0, `a winner is told its seq: ${JSON.stringify(answer.body)}`);
    assert.ok(!this.told.has(seq), `two were told that ${seq} is theirs: ${what} and ${this.told.get(seq)}`);
    this.told.set(seq, what);
    this.seq = Math.max(this.seq, seq);
    won++;
  }

  /** Settle a race of REST calls [{answer, what}]; gives how many won. */
  judge(runs, right) {
    let winners = 0;
    for (const { answer, what } of runs) {
      if (answer.status === right) {
        this.win(answer, what);
        winners++;
      } else {
        assert.equal(answer.status, 409, JSON.stringify(answer.body));
        lost++;
      }
    }
    fought++;
    return winners;
  }

  edits(count) {
    return Promise.all(Array.from({ length: count }, async (_, n) => {
      const title = `e${this.said++}`;
      return { what: title, answer: await this.call("PATCH", "", n + this.said, { title }, { "If-Match": `"${this.seq}"` }) };
    }));
  }

  async editRace() {
    assert.equal(this.judge(await this.edits(3), 200), 1, "one of three edits of the same seq");
  }

  /** An input of the bus, twice, against edits: it has one effect, and at most one edit its seq. */
  async busRace(type, data) {
    const event = stack.event(type, this.id, data);
    const before = this.seq;
    const say = () => xadd(stack, event);
    const [runs] = await Promise.all([this.edits(2), say(), say()]);
    const winners = this.judge(runs, 200);
    assert.ok(winners <= 1);
    await until(`${type} has its effect`, async () => (await task(stack, this.id, { base: urls[this.said % 2] })).seq >= before + 1 + winners, { ms: 30_000, every: 10 });
    const seq = winners && this.told.has(before + 1) ? before + 2 : before + 1;
    assert.ok(!this.told.has(seq));
    this.told.set(seq, type);
    this.seq = before + 1 + winners;
    fought++;
  }

  async answerRace() {
    const runs = await Promise.all([0, 1, 2].map(async (n) => {
      const answers = [`a${this.said++}`];
      return { what: answers[0], answer: await this.call("POST", "/clarify", n, { answers }) };
    }));
    assert.equal(this.judge(runs, 202), 1, "one of three answers");
  }

  async live(until_) {
    await this.busRace("analyzing");
    while (fought < until_) {
      await this.busRace("clarification_needed", { questions: ["Who?"] });
      await this.answerRace();
      await this.editRace();
      await this.editRace();
    }
    await this.busRace("dispatched", { issueNumber: 1, issueUrl: `${LINK}/issues/1`, githubBranch: "b" });
    const merge = () => publish(stack, "pr_merged", this.id, { mergeCommitSha: "b".repeat(40), mergedAt: new Date().toISOString() });
    const fail = () => publish(stack, "failed", this.id, { errorMessage: "no" });
    await Promise.all(this.said % 2 ? [merge(), fail()] : [fail(), merge()]);
    await until("it ended", async () => ["merged", "failed"].includes((await task(stack, this.id, { base: urls[0] })).status), { ms: 30_000 });
    this.seq++;
    this.told.set(this.seq, (await task(stack, this.id, { base: urls[1] })).status === "merged" ? "pr_merged" : "failed");
    fought++;
  }
}

test(`of ${RACES} races of two taskd each has one winner, and the timeline is theirs`, { timeout: 160_000 + RACES * 60 }, async (t) => {
  stack = await Stack.start({ store: "mongo", gateways: 0, gatewayEnv: { JOINS_PER_SECOND: "0" } });
  try {
    urls = [stack.taskdUrl, (await stack.addTaskd()).url];
    await stack.startGateway();
    const witness = await Witness.at(stack);
    const fields = await Promise.all(Array.from({ length: TASKS }, () => Field.make()));
    const began = Date.now();
    await Promise.all(fields.map((f) => f.live(RACES)));
    const seconds = (Date.now() - began) / 1000;
    await settled(stack);
    await logIsRight(stack);
    for (const f of fields) {
      const events = await timeline(stack, f.id);
      assert.deepEqual(events.map((e) => e.seq), Array.from({ length: f.seq }, (_, i) => i + 1));
      assert.deepEqual(events.map((e) => (e.seq > 1 && (e.payload.title ?? e.payload.clarificationAnswers?.[0] ?? e.payload.answers?.[0])) || e.eventType),
        Array.from({ length: f.seq }, (_, i) => f.told.get(i + 1)));
    }
    assert.equal((await deadEvents(stack)).length, TASKS, "the second ending of each task is a dead letter");
    await witness.agrees(await storedTasks(stack));
    t.diagnostic(`${fought} races, ${won} won over REST, ${lost} lost with 409, in ${seconds.toFixed(1)} s`);
    assert.ok(fought >= RACES && lost >= RACES / 2);
  } finally {
    await stack.stop();
  }
});
