// Events that are broken become dead letters with a reason, and harm nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import net from "node:net";
import { Stack, until } from "./harness.mjs";

let stack;
before(async () => { stack = await Stack.start(); });
after(() => stack.stop());

/** XADD of raw bytes: redis-cli's arguments cannot hold all of them. */
function xaddRaw(bytes) {
  return new Promise((done, fail) => {
    const socket = net.connect(stack.redisPort, "127.0.0.1", () => {
      const args = ["XADD", "tasks:ingest", "*", "event"].map(Buffer.from).concat([bytes]);
      socket.write(`*${args.length}\r\n`);
      for (const a of args) { socket.write(`$${a.length}\r\n`); socket.write(a); socket.write("\r\n"); }
    }).once("data", (d) => { socket.end(); done(String(d)); }).on("error", fail);
  });
}

async function deadLetters() {
  const { body } = await stack.call("GET", "/api/admin/dead-letters?limit=100", { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }) });
  return body.deadLetters;
}

test("each kind of broken event is answered by a dead letter with its reason", async () => {
  const taskId = await stack.createTask();
  const broken = {
    "not JSON": Buffer.from("{nope"),
    "an array": Buffer.from("[1,2]"),
    "invalid UTF-8": Buffer.concat([Buffer.from('{"specversion":"1.0","id":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    "1 MB": Buffer.from(stack.event("note", taskId, { text: "x".repeat(1 << 20) })),
    "unknown type": Buffer.from(stack.event("exploded", taskId)),
    "unknown task": Buffer.from(stack.event("analyzing", "0123456789abcdef01234567")),
    "REST only": Buffer.from(stack.event("created", taskId)),
    "no id": Buffer.from(stack.event("analyzing", taskId, {}, { id: undefined })),
    "bad subject": Buffer.from(stack.event("analyzing", "$ne")),
    "missing data": Buffer.from(stack.event("dispatched", taskId, {})),
    "a javascript: link": Buffer.from(stack.event("dispatched", taskId, { issueNumber: 1, issueUrl: "javascript:alert(1)", githubBranch: "b" })),
    "specversion 2": Buffer.from(stack.event("analyzing", taskId, {}, { specversion: "2.0" })),
    "an empty event": Buffer.from(""),
  };
  for (const bytes of Object.values(broken)) assert.match(await xaddRaw(bytes), /^\$/);
  await stack.redisCall("XADD", "tasks:ingest", "*", "other", "field");
  const count = Object.keys(broken).length + 1;
  const dead = await until("every broken event is a dead letter", async () => {
    const list = await deadLetters();
    return list?.length >= count && list;
  });
  assert.equal(dead.length, count);
  for (const d of dead) assert.ok(d.reason?.length > 3 && d.code, JSON.stringify(d).slice(0, 200));
  await until("nothing is left in the stream", async () => (await stack.redisCall("XLEN", "tasks:ingest")) === "0");

  // The task itself goes on as if nothing had happened.
  await stack.publish("analyzing", taskId);
  await until("the task moves", async () => (await stack.call("GET", `/api/tasks/${taskId}`)).body.seq === 2);
});

const issue = { issueNumber: 1, issueUrl: "https://github.com/a/b/issues/1", githubBranch: "b" };

test("an input that overtook another waits for it", async () => {
  const taskId = await stack.createTask();
  const before = (await deadLetters()).length;
  await stack.publish("coding", taskId);
  await stack.publish("note", taskId, { text: "behind it" });
  await stack.publish("dispatched", taskId, issue);
  const { body } = await until("all three are taken", async () => {
    const answer = await stack.call("GET", `/api/tasks/${taskId}`);
    return answer.body.seq === 4 && answer;
  });
  assert.deepEqual(body.events.map((e) => e.eventType), ["created", "dispatched", "coding", "note"]);
  assert.equal((await deadLetters()).length, before);
});

test("what stays illegal is a dead letter after five seconds, in a final state at once", async () => {
  const taskId = await stack.createTask();
  const before = (await deadLetters()).length;
  let begun = Date.now();
  await stack.publish("coding", taskId);
  await stack.publish("note", taskId, { text: "behind it" });
  await until("coding is given up", async () => (await deadLetters()).length === before + 1);
  assert.ok(Date.now() - begun > 4500, "it waited");
  await until("the note behind it is taken", async () => (await stack.call("GET", `/api/tasks/${taskId}`)).body.seq === 2);

  await stack.publish("analyzing", taskId);
  await stack.publish("failed", taskId, { errorMessage: "no" });
  await until("failed", async () => (await stack.call("GET", `/api/tasks/${taskId}`)).body.status === "failed");
  begun = Date.now();
  await stack.publish("coding", taskId);
  await until("dead at once", async () => (await deadLetters()).length === before + 2);
  assert.ok(Date.now() - begun < 4000);
});

test("the same event twice has one effect", async () => {
  const taskId = await stack.createTask();
  const event = stack.event("analyzing", taskId);
  for (let i = 0; i < 3; i++) await stack.redisCall("XADD", "tasks:ingest", "*", "event", event);
  const note = stack.event("note", taskId, { text: "once" });
  for (let i = 0; i < 3; i++) await stack.redisCall("XADD", "tasks:ingest", "*", "event", note);
  await until("handled", async () => (await stack.redisCall("XLEN", "tasks:ingest")) === "0");
  const { body } = await stack.call("GET", `/api/tasks/${taskId}`);
  assert.deepEqual(body.events.map((e) => e.eventType), ["created", "analyzing", "note"]);
});

test("an event published over the channel is taken too", async () => {
  const taskId = await stack.createTask();
  await until("somebody listens on the channel", async () => {
    await stack.redisCall("PUBLISH", "tasks:ingest", stack.event("note", taskId, { text: "hello" }, { id: "the-same" }));
    return (await stack.call("GET", `/api/tasks/${taskId}`)).body.seq === 2;
  }, { every: 200 });
});
