// deflate.test.mjs - permessage-deflate (SPEC P4) between stock clients and a gateway: what goes
// to many is compressed once, and they read less than those who did not ask for it.
import test from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, freePort, until } from "../harness.mjs";

const SQUEEZING = 20;
const TEXT = "The same words over and over again. ".repeat(250).slice(0, 9000);
const bytesRead = (socket) => socket.io.engine.transport.ws._socket.bytesRead;

test("a large event is compressed once for all who take it so, and sent plain to the others", async () => {
  const metricsPort = await freePort();
  const stack = await Stack.start({ gatewayEnv: { METRICS_PORT: String(metricsPort) } });
  const deflated = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^taskwire_engineio_messages_deflated_total (\d+)/m.exec(text)[1]);
  };
  try {
    const id = await stack.createTask({ description: "short" });
    const connect = (perMessageDeflate) => stack.connect({ token: stack.token(`p${Math.random().toString(36).slice(2)}`), perMessageDeflate });
    const squeezing = await Promise.all(Array.from({ length: SQUEEZING }, () => connect({ threshold: 0 })));
    const plain = await Promise.all([connect(false), connect(false)]);
    const all = [...squeezing, ...plain];
    for (const s of all) assert.deepEqual(await ask(s, "task:join", { taskId: id }), { ok: true });

    const before = { deflated: await deflated(), read: new Map(all.map((s) => [s, bytesRead(s)])) };
    const { headers } = await stack.call("GET", `/api/tasks/${id}`);
    const answer = await stack.call("PATCH", `/api/tasks/${id}`, { body: { description: TEXT }, headers: { "If-Match": headers.get("etag") } });
    assert.equal(answer.status, 200);
    await until("everybody has heard of it", () => all.every((s) => s.log.some((e) => e.name === "task:event_added")));
    for (const s of all) assert.equal(s.log.find((e) => e.name === "task:updated").payload.description, TEXT);

    const grown = (s) => bytesRead(s) - before.read.get(s);
    for (const s of plain) assert.ok(grown(s) > TEXT.length, `${grown(s)} bytes in plain`);
    for (const s of squeezing) assert.ok(grown(s) < TEXT.length / 4, `${grown(s)} bytes compressed`);
    // task:updated and its timeline event are large; what else is said of an edit may be, too.
    const work = (await deflated()) - before.deflated;
    assert.ok(work >= 1 && work <= 4, `${work} compressions for ${SQUEEZING} clients`);
  } finally {
    await stack.stop();
  }
});

test("what clients send compressed is understood, and may not inflate without bound", async () => {
  const stack = await Stack.start({ gatewayEnv: { MAX_PAYLOAD_BYTES: "20000" } });
  try {
    const id = await stack.createTask();
    const socket = await stack.connect({ perMessageDeflate: { threshold: 0 }, reconnection: false });
    assert.match(socket.io.engine.transport.ws.extensions, /permessage-deflate/);
    assert.deepEqual(await ask(socket, "task:join", { taskId: id, padding: "a".repeat(15_000) }), { ok: true });

    const other = await stack.connect();
    const gone = new Promise((done) => socket.once("disconnect", done));
    socket.emit("task:join", { taskId: id, padding: "a".repeat(5_000_000) });   // some 5 KB on the wire
    await gone;
    assert.deepEqual(await ask(other, "task:join", { taskId: id }), { ok: true });
  } finally {
    await stack.stop();
  }
});
