// doctor_lease.test.mjs - `taskctl doctor` finds that nobody works the ingest stream off.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../harness.mjs";
import { Clinic, fault, settle } from "./clinic.mjs";

test("a dead lease: the taskd that held it has stopped", async (t) => {
  const stack = await Clinic.open({ gateways: 1 });
  t.after(() => stack.stop());
  stack.taskd.signal("SIGSTOP");
  await until("the lease is over", async () => !(await stack.redisCall("GET", "tasks:ingest:lease")));
  const { code, err, out } = await stack.ctl("doctor", "-o", "json", "--request-timeout", "1s");
  stack.taskd.signal("SIGCONT");
  assert.equal(code, 5, err);
  const report = { findings: JSON.parse(out) };
  fault(report, "taskd-unreachable");
  assert.match(fault(report, "lease-dead").what, /no taskd holds the ingest lease/);
  await until("taskd is back", () => fetch(`${stack.taskdUrl}/api/health/ready`).then((r) => r.ok, () => false));
  await settle();
  await stack.healthy();
});

test("a dead lease: held by nobody who is there", async (t) => {
  const stack = await Clinic.open({ store: "mongo", gateways: 1 });
  t.after(() => stack.stop());
  const id = await stack.createTask();
  await until("somebody holds the lease", () => stack.redisCall("GET", "tasks:ingest:lease"));
  await stack.healthy(id);
  await stack.redisCall("SET", "tasks:ingest:lease", "nobody", "PX", "3600000");
  await stack.publish("analyzing", id);
  const report = await stack.finds(["lease-dead"]);
  const found = fault(report, "lease-dead");
  assert.match(found.what, /held by 'nobody', which is no taskd.*1 inputs wait/);
  await stack.obey(found);
  await until("the input is handled", async () => await stack.seqOf(id) === 2);
  await settle();
  await stack.healthy(id);
});
