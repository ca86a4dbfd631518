// doctor_log.test.mjs - `taskctl doctor` finds logs that are not whole.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask } from "../harness.mjs";
import { Clinic, fault, settle } from "./clinic.mjs";

let stack;
before(async () => {
  stack = await Clinic.open({ gateways: 2 });
  await ask(await stack.connect(), "dashboard:join", {});
  await ask(await stack.connect({ base: stack.gateways[1].url }), "dashboard:join", {});
});
after(() => stack.stop());

test("a trimmed log", async () => {
  for (let i = 0; i < 5; i++) await stack.createTask();
  await stack.redisCall("XTRIM", "tasks:log:acme", "MAXLEN", "2");
  const report = await stack.finds(["log-trimmed"], "acme");
  const found = fault(report, "log-trimmed");
  assert.match(found.what, /holds 2 of the \d+ messages/);
  await stack.obey(found);
  await stack.createTask();
  await settle();
  await stack.healthy("acme");
});

test("a hole in the log is a trimmed log, too", async () => {
  for (let i = 0; i < 3; i++) await stack.createTask();
  const log = await stack.redisCall("XRANGE", "tasks:log:acme", "-", "+");
  const second = [...log.matchAll(/^(\d{10,}-0)$/gm)][1][1];
  await stack.redisCall("XDEL", "tasks:log:acme", second);
  await stack.finds(["log-trimmed"], "acme");
  await stack.redisCall("DEL", "tasks:log:acme");
  await stack.createTask();
  await settle();
  await stack.healthy("acme");
});
