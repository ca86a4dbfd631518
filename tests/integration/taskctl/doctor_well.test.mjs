// doctor_well.test.mjs - `taskctl doctor` on systems that are well, and what it says to people.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, freePort, until } from "../harness.mjs";
import { Clinic, fault, settle } from "./clinic.mjs";

let stack;
before(async () => {
  stack = await Clinic.open({ gateways: 2 });
  await ask(await stack.connect(), "dashboard:join", {});
  await ask(await stack.connect({ base: stack.gateways[1].url }), "dashboard:join", {});
});
after(() => stack.stop());

test("a system that is well has no fault, of a task, an org or all", async () => {
  const id = await stack.createTask();
  await stack.publish("analyzing", id);
  await until("it moved", async () => await stack.seqOf(id) === 2);
  await settle();
  await Promise.all([stack.healthy(), stack.healthy("acme"), stack.healthy(id)]);
  const { findings } = await stack.doctor("acme");
  assert.match(findings.find((f) => f.check === "org").what, /compared 1 tasks of the store with \d+ messages/);
});

test("an org that nobody follows, and one that does not exist, are no faults", async () => {
  await stack.createTask(undefined, { token: stack.token("zoe", "lonely") });
  await Promise.all([stack.healthy("lonely"), stack.healthy("nowhere")]);
});

test("a task that is not there is 3", async () => {
  const { code, err } = await stack.ctl("doctor", "0123456789abcdef01234567");
  assert.equal(code, 3);
  assert.match(err, /Not found/);
});

test("inputs that were refused are a warning, and no fault", async () => {
  await stack.redisCall("XADD", "tasks:ingest", "*", "event", "no JSON");
  await until("it is dead", async () => await stack.redisCall("XLEN", "tasks:ingest:dead") !== "0");
  const report = await stack.doctor();
  assert.equal(report.code, 0);
  assert.match(report.findings.find((f) => f.check === "dead-letters").what, /1 inputs were refused/);
});

test("a Redis that is not there, and one that is another than taskd's", async () => {
  const none = await stack.ctl("doctor", "-o", "json", "--redis", "redis://127.0.0.1:1", "--request-timeout", "1s");
  assert.equal(none.code, 5);
  fault({ findings: JSON.parse(none.out) }, "redis-unreachable");
  assert.match(none.err, /Redis at 127\.0\.0\.1:1 is not to be reached/);
  const port = await freePort();
  const second = stack.begin("redis-2", ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", stack.folder]);
  await until("it answers", async () => (await stack.ctl("publish", "note", "0123456789abcdef01234567", "text=x", "--redis", `redis://127.0.0.1:${port}`)).code === 0);
  const other = await stack.doctor("--redis", `redis://127.0.0.1:${port}`);
  assert.equal(other.code, 1);
  fault(other, "redis-differs");
  await second.stop();
});

test("for people: a table, and under it what to do", async () => {
  await stack.redisCall("SET", "tasks:hold:acme", "somebody");
  const { code, out } = await stack.ctl("doctor", "acme", "--wait", "3s");
  await stack.redisCall("DEL", "tasks:hold:acme");
  assert.equal(code, 1);
  assert.match(out, /^RESULT +CHECK +SUBJECT +WHAT\nfault +outbox-stuck +acme/);
  assert.match(out, /outbox-stuck acme\n {2}publications of this org are held.*\n {2}what to do:\n {4}redis-cli DEL tasks:hold:acme\n/);
});
