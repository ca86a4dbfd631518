// A trace goes through: from the CloudEvent or the REST request that began it, over taskd and the
// live message, to the logs of both services and to the clients that asked for it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Stack, ask, until } from "./harness.mjs";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736", SPAN = "00f067aa0ba902b7";
const parent = (n, flags = "01") => `00-${TRACE.slice(0, 31)}${n}-${SPAN}-${flags}`;
let stack;

before(async () => { stack = await Stack.start(); });
after(() => stack?.stop());

const linesOf = async (program, trace) => (await readFile(program.log, "utf8")).split("\n").filter((l) => l.includes(`trace=${trace}`));
const traces = (socket) => socket.log.filter((e) => e.name === "trace").map((e) => e.payload);

test("a CloudEvent's traceparent reaches the logs of both services and who asked for it", async () => {
  const taskId = await stack.createTask();
  const curious = await stack.connect({ auth: { token: stack.token("ann"), trace: true } });
  const plain = await stack.connect({ token: stack.token("bob") });
  const elsewhere = await stack.connect({ auth: { token: stack.token("eve", "other"), trace: true } });
  for (const s of [curious, plain]) assert.equal((await ask(s, "task:join", { taskId })).ok, true);
  assert.equal((await ask(elsewhere, "dashboard:join", {})).ok, true);
  await stack.publish("analyzing", taskId, {}, { traceparent: parent(1) });
  await stack.publish("note", taskId, { text: "no trace" });
  for (const s of [curious, plain]) await until("both events came", () => s.log.filter((e) => e.name === "task:event_added").length === 2);
  assert.deepEqual(traces(curious), [{ taskId, seq: 2, traceparent: parent(1) }]);
  assert.deepEqual(traces(plain), []);
  assert.deepEqual(traces(elsewhere), []);
  const names = curious.log.map((e) => e.name);
  assert.ok(names.indexOf("trace") > names.indexOf("task:event_added"), names.join(" "));
  const id = parent(1).split("-")[1];
  const stored = await linesOf(stack.taskd, id), told = await linesOf(stack.gateways[0], id);
  assert.deepEqual(stored.map((l) => /event=(\S+)/.exec(l)[1]).sort(), ["published", "stored"]);
  for (const line of [...stored, ...told]) assert.match(line, new RegExp(`span=${SPAN} task=${taskId} seq=2`));
  assert.deepEqual(told.map((l) => /event=(\S+)/.exec(l)[1]), ["told"]);
});

test("a REST request's traceparent does too, over a gateway, and dashboards are told", async () => {
  const board = await stack.connect({ auth: { token: stack.token("ann"), trace: true } });
  assert.equal((await ask(board, "dashboard:join", {})).ok, true);
  const taskId = await stack.createTask({ description: "Trace me" }, { headers: { traceparent: parent(2) } });
  await until("the trace came", () => traces(board).length === 1);
  assert.deepEqual(traces(board), [{ taskId, seq: 1, traceparent: parent(2) }]);
  const edited = await stack.call("PATCH", `/api/tasks/${taskId}`, { body: { title: "Traced" }, headers: { "If-Match": "*", traceparent: parent(3) } });
  assert.equal(edited.status, 200);
  await until("the second trace came", () => traces(board).length === 2);
  assert.equal(traces(board)[1].traceparent, parent(3));
});

test("what is no traceparent is ignored; one that is not sampled is told, and logged at debug alone", async () => {
  const board = await stack.connect({ auth: { token: stack.token("ann"), trace: true } });
  assert.equal((await ask(board, "dashboard:join", {})).ok, true);
  const first = await stack.createTask({ description: "Nonsense" }, { headers: { traceparent: "00-zz-1-01" } });
  const second = await stack.createTask({ description: "Not sampled" }, { headers: { traceparent: parent(4, "00") } });
  await until("the trace came", () => traces(board).length === 1);
  assert.deepEqual(traces(board), [{ taskId: second, seq: 1, traceparent: parent(4, "00") }]);
  assert.ok(board.log.some((e) => e.payload?.taskId === first));
  assert.deepEqual(await linesOf(stack.taskd, parent(4).split("-")[1]), []);
});
