// doctor_outbox.test.mjs - `taskctl doctor` finds tasks that are stored and that nobody hears of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { ask, until } from "../harness.mjs";
import { Clinic, fault, settle } from "./clinic.mjs";

const exec = promisify(execFile);
let stack, dashboard;
before(async () => {
  stack = await Clinic.open({ gateways: 2 });
  dashboard = await stack.connect();
  await ask(dashboard, "dashboard:join", {});
  await ask(await stack.connect({ base: stack.gateways[1].url }), "dashboard:join", {});
});
after(() => stack.stop());

test("a stuck outbox: publications are held for ever", async () => {
  await stack.redisCall("SET", "tasks:hold:acme", "somebody");
  const id = await stack.createTask();
  await settle();
  const report = await stack.doctor("acme");
  assert.equal(report.code, 1);
  const found = fault(report, "outbox-stuck");
  assert.equal(found.subject, "acme");
  assert.match(found.what, /hold never ends; 1 tasks wait, the oldest for \d+s/);
  assert.match((await stack.ctl("outbox")).out, new RegExp(id));
  fault(await stack.doctor(), "outbox-stuck");
  await stack.obey(found);
  await stack.outboxIsEmpty();
  await stack.healthy(id);
});

test("a stuck outbox: Redis is full", async () => {
  await stack.redisCall("CONFIG", "SET", "maxmemory", "1");
  const id = await stack.createTask();
  await settle();
  const report = await stack.doctor();
  fault(report, "redis-full");
  assert.match(fault(report, "outbox-stuck").todo, new RegExp(`outbox push ${id}`));
  await stack.redisCall("CONFIG", "SET", "maxmemory", "0");
  await stack.outboxIsEmpty();
});

test("an unpublished task: the store calls it published and nobody has heard of it", async () => {
  await stack.redisCall("SET", "tasks:hold:acme", "somebody");
  const id = await stack.createTask();
  assert.equal((await stack.taskd.stop()).code, 0);
  await exec("python3", ["-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
    + "db.execute('UPDATE tasks SET published_seq = seq WHERE id = ?', (sys.argv[2],)); db.commit()",
    path.join(stack.folder, "taskwire.db"), id]);
  await stack.redisCall("DEL", "tasks:hold:acme");
  await stack.startTaskd();
  await settle();
  for (const report of await Promise.all([[id], ["acme"]].map((scope) => stack.finds(["task-unpublished"], ...scope)))) {
    const found = fault(report, "task-unpublished");
    assert.equal(found.subject, id);
    assert.match(found.what, /the store calls seq 1 published, and the log ends with seq 0/);
  }
  await stack.obey(fault(await stack.doctor(id), "task-unpublished"));
  await until("the dashboard has heard of it", () => dashboard.log.some((e) => e.payload?.taskId === id && e.payload.seq === 2));
  await settle();
  await stack.healthy(id);
});
