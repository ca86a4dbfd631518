// clinic.mjs - what the tests of `taskctl doctor` share: asking it, and doing what it says.
import assert from "node:assert/strict";
import { Stack, sleep, until } from "../harness.mjs";
import { run, taskctl } from "./terminal.mjs";

export class Clinic extends Stack {
  static async open(options) { return Object.setPrototypeOf(await Stack.start(options), Clinic.prototype); }

  get env() { return { TASKD_URL: this.taskdUrl, REDIS_URL: this.redisUrl, JWT_SECRET: this.secret }; }

  ctl(...args) { return run([taskctl, ...args], { env: this.env }); }

  /** {code, err, findings} */
  async doctor(...args) {
    const { code, out, err } = await this.ctl("doctor", "-o", "json", "--wait", "3s", ...args);
    assert.ok(out, err);
    return { code, err, findings: JSON.parse(out) };
  }

  /** Ask until these are all the faults that it finds: a machine that is busy may have others for a moment. */
  async finds(wanted, ...args) {
    const end = Date.now() + 60_000;
    for (;;) {
      const report = await this.doctor(...args);
      if (faults(report).join() === wanted.join() || Date.now() > end) {
        assert.deepEqual(faults(report), wanted, JSON.stringify(report.findings));
        assert.equal(report.code, wanted.length ? 1 : 0);
        return report;
      }
    }
  }

  healthy(...args) { return this.finds([], ...args); }

  /** Do what a finding says, where that is a command of redis-cli or ours. */
  async obey({ todo }) {
    const redis = todo.match(/redis-cli (DEL \S+)/);
    if (redis) return this.redisCall(...redis[1].split(" "));
    const [, words] = todo.match(/taskctl (outbox push \w+|publish note \w+)/);
    const more = words.startsWith("publish") ? ["text=Here it is"] : [];
    const { code, err } = await this.ctl(...words.split(" "), ...more);
    assert.equal(code, 0, err);
  }

  outboxIsEmpty() {
    return until("the outbox is empty", async () => !(await this.ctl("outbox", "--no-headers")).out);
  }

  async seqOf(id) { return (await this.call("GET", `/api/tasks/${id}`, { base: this.taskdUrl })).body.seq; }
}

/** So long that what has not happened by then is stuck (doctor.h). */
export const settle = () => sleep(5500);

export const faults = ({ findings }) => findings.filter((f) => f.result === "fault").map((f) => f.check);
export const fault = (report, check) => {
  const found = report.findings.find((f) => f.result === "fault" && f.check === check);
  assert.ok(found, `${check} was not found: ${JSON.stringify(report)}`);
  return found;
};
