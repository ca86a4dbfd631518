// doctor_shards.test.mjs - `taskctl doctor`, `publish` and `simulate` where several Redis servers share the orgs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, until } from "../harness.mjs";
import { Clinic, fault } from "./clinic.mjs";

let stack, org, port;
before(async () => {
  stack = await Clinic.open({ gateways: 1, redisServers: 2 });
  port = stack.moreRedis[0].port;
  // One of these lives on the second server, but for one chance in a thousand.
  for (const name of "abcdefghij") {
    await stack.createTask(undefined, { token: stack.token("ann", name) });
    const isThere = () => Promise.all([stack.redisPort, port].map((p) => stack.redisCallAt(p, "EXISTS", `tasks:log:${name}`)));
    const [, second] = await until("it is published", async () => { const there = await isThere(); return there.includes("1") && there; }, { ms: 60_000 });
    if (second === "1") org = name;
  }
  assert.ok(org);
  await ask(await stack.connect({ token: stack.token("ann", org) }), "dashboard:join", {});
});
after(() => stack.stop());

test("what is well is left alone, on every server", async () => {
  const { findings } = await stack.healthy();
  assert.deepEqual(findings.filter((f) => f.check === "redis").map((f) => f.subject), [`127.0.0.1:${stack.redisPort}`, `127.0.0.1:${port}`]);
  assert.match((await stack.healthy(org)).findings.find((f) => f.check === "org").what, /1 tasks of the store with 1 messages/);
});

test("a fault is found where the org lives", async () => {
  await stack.createTask(undefined, { token: stack.token("ann", org) });
  await until("it is published", async () => await stack.redisCallAt(port, "XLEN", `tasks:log:${org}`) === "2");
  await stack.redisCallAt(port, "XTRIM", `tasks:log:${org}`, "MAXLEN", "1");
  const report = await stack.finds(["log-trimmed"], org);
  await stack.redisCallAt(port, "DEL", `tasks:log:${org}`);
});

test("a server that is away is named, and the orgs of the others are still looked at", async () => {
  await stack.moreRedis[0].program.kill9();
  const report = await stack.doctor("--request-timeout", "1s");
  assert.equal(report.code, 5);
  assert.equal(fault(report, "redis-unreachable").subject, `127.0.0.1:${port}`);
  assert.ok(report.findings.some((f) => f.check === "ingest"));
  await stack.startMoreRedis(stack.moreRedis[0]);
});

test("publish and simulate find the stream on the first, and the feed where it is", async () => {
  const id = await stack.createTask(undefined, { token: stack.token("ann", org) });
  const simulator = stack.beginTaskctl("simulate", ["simulate", "--org", org, "--pace", "50"]);
  await until("it is moved to its end", async () => ["merged", "failed", "needs_clarification"].includes((await stack.call("GET", `/api/tasks/${id}`, { base: stack.taskdUrl, token: stack.token("ann", org) })).body.status));
  assert.equal((await simulator.stop()).code, 0);
  assert.equal((await stack.ctl("publish", "note", id, "text=There")).code, 0);
});
