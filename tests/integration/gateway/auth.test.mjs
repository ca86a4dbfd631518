// auth.test.mjs - a connection lives as long as its token (SPEC A1): the warning, the end, and
// refreshing in place, on real processes with the stock client.
import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { Stack, ask, sign, until } from "../harness.mjs";
import { openStream } from "./reader.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 3 }); });
after(async () => { await stack.stop(); });

const now = () => Math.floor(Date.now() / 1000);
const names = (socket) => socket.log.map((e) => e.name);
const iso = (seconds) => new Date(seconds * 1000).toISOString();
const living = (seconds, sub = "ann", org = "acme", extra = {}) => stack.token(sub, org, { exp: now() + seconds, ...extra });

/** When and why it was disconnected. */
function ending(socket) {
  return new Promise((done) => socket.once("disconnect", (reason) => done({ reason, at: Date.now() })));
}

/** The code that a client is refused with. */
async function refusal(options) {
  const error = await stack.connect({ reconnection: false, ...options }).then(() => null, (e) => e);
  assert.ok(error, "was let in");
  return error.data?.code;
}

for (const transports of [["websocket"], ["polling"]]) {
  test(`the connection ends with its token, after a warning, over ${transports}`, async () => {
    const exp = now() + 4;
    const socket = await stack.connect({ token: stack.token("ann", "acme", { exp }), transports });
    const closed = new Promise((done) => socket.io.engine.once("close", done));
    const { reason, at } = await ending(socket);
    assert.equal(reason, "io server disconnect");
    assert.ok(at >= exp * 1000, `${exp * 1000 - at} ms before the token's end`);
    assert.deepEqual(socket.log.filter((e) => e.name === "auth:expiring").map((e) => e.payload), [{ expiresAt: iso(exp) }]);
    assert.equal(socket.active, false, "a stock client comes back by itself");
    await closed;
    assert.equal(await refusal({ token: socket.auth.token, transports }), "token_expired");
  });
}

test("the token's end is kept on every replica, by sockets and streams", async (t) => {
  const exp = now() + 4, token = stack.token("ann", "acme", { exp });
  const sockets = await Promise.all(stack.gateways.map(({ url }) => stack.connect({ token, base: url })));
  const streams = await Promise.all(stack.gateways.map(({ url }) => openStream(url, "/api/dashboard/stream", { token })));
  const ends = await Promise.all([...sockets.map(ending).map((e) => e.then(({ at }) => at)), ...streams.map((s) => s.ended.then(() => Date.now()))]);
  t.diagnostic(`ended ${ends.map((at) => at - exp * 1000).join(", ")} ms after it`);
  for (const at of ends) assert.ok(at >= exp * 1000 && at < exp * 1000 + 5_000);
});

test("after its `41` the server closes the connection by itself", async () => {
  const said = [];
  const ws = new WebSocket(`${stack.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
  const closed = new Promise((done, fail) => { ws.on("close", done); ws.on("error", fail); });
  ws.on("message", (data) => {
    said.push(String(data));
    if (said.length === 1) ws.send(`40${JSON.stringify({ token: living(2) })}`);
  });
  await closed;
  assert.deepEqual(said.map((text) => /^\d+/.exec(text)[0]).filter((type) => type !== "2"), ["0", "40", "42", "41"]);
});

test("the warning comes when a minute is left, not before", async () => {
  const exp = now() + 62;
  const socket = await stack.connect({ token: stack.token("ann", "acme", { exp }) });
  const due = (exp - 60) * 1000;
  await until("the warning", () => names(socket).includes("auth:expiring"));
  assert.ok(Date.now() >= due, "too early");
  assert.deepEqual(socket.log[0].payload, { expiresAt: iso(exp) });
});

test("a token of the same person keeps the connection, in place", async () => {
  const id = await stack.createTask();
  const first = now() + 4, second = now() + 3600;
  const socket = await stack.connect({ token: stack.token("ann", "acme", { exp: first }) });
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  const { id: sid } = socket;
  assert.deepEqual(await ask(socket, "auth:refresh", { token: stack.token("ann", "acme", { exp: second }) }),
    { ok: true, expiresAt: iso(second) });
  let ended = false;
  ending(socket).then(() => { ended = true; });
  await until("the first token is over", () => Date.now() > first * 1000 + 1500);
  assert.equal(ended, false);
  await stack.publish("note", id, { text: "still here" });
  await until("it hears on", () => names(socket).includes("task:event_added"));
  assert.equal(socket.id, sid);
});

test("refreshing works many times, and without an acknowledgement", async () => {
  const socket = await stack.connect({ token: living(3600) });
  for (let i = 1; i <= 20; i++) {
    const exp = now() + 3600 + i;
    assert.deepEqual(await ask(socket, "auth:refresh", { token: stack.token("ann", "acme", { exp }) }), { ok: true, expiresAt: iso(exp) });
  }
  socket.emit("auth:refresh", { token: living(3) });
  socket.emit("auth:refresh", { token: "nonsense" });
  await until("the refusal is an event", () => names(socket).includes("error"));
  assert.equal(socket.log.find((e) => e.name === "error").payload.code, "unauthorized");
  assert.equal((await ending(socket)).reason, "io server disconnect");   // by the shorter token
});

test("what is not such a token is refused with its code, and the connection stays as it was", async () => {
  const exp = now() + 6;
  const socket = await stack.connect({ token: stack.token("ann", "acme", { exp }) });
  const foreign = sign({ sub: "ann", org: "acme", iat: now(), exp: now() + 3600 }, "another secret, of thirty-two bytes");
  const unsigned = sign({ sub: "ann", org: "acme", iat: now(), exp: now() + 3600 }, stack.secret, { alg: "none", typ: "JWT" });
  for (const [payload, code] of [
    [{ token: living(3600, "bob") }, "forbidden"],
    [{ token: living(3600, "ann", "other") }, "forbidden"],
    [{ token: living(3600, "ann", null) }, "forbidden"],
    [{ token: living(-1) }, "token_expired"],
    [{ token: foreign }, "unauthorized"],
    [{ token: unsigned }, "unauthorized"],
    [{ token: "a.b.c" }, "unauthorized"],
    [{ token: "" }, "bad_message"],
    [{ token: 7 }, "bad_message"],
    [{ token: "x".repeat(8193) }, "bad_message"],
    [{}, "bad_message"],
    ["token", "bad_message"],
    [null, "bad_message"],
  ]) {
    const answer = await ask(socket, "auth:refresh", payload);
    assert.deepEqual([answer.ok, answer.error?.code], [false, code], JSON.stringify(payload)?.slice(0, 100));
  }
  assert.ok(socket.connected);
  const { at } = await ending(socket);
  assert.ok(at >= exp * 1000, "a refused token has shortened the connection's life");
});

test("a client that comes back is authorised by the token that it brings", async () => {
  const id = await stack.createTask();
  const socket = await stack.connect({ token: living(3), base: stack.gateways[0].url });
  assert.ok((await ask(socket, "task:join", { taskId: id })).ok);
  const expired = socket.auth.token;
  socket.io.reconnection(false);
  socket.io.engine.close();
  await until("the connection is gone", () => !socket.connected);
  await until("its token is over", () => now() > JSON.parse(Buffer.from(expired.split(".")[1], "base64url")).exp);
  socket.io.uri = stack.gateways[1].url;
  const refused = new Promise((done) => socket.once("connect_error", done));
  socket.connect();
  assert.equal((await refused).data.code, "token_expired");
  await stack.publish("note", id, { text: "missed" });
  socket.auth = { token: living(3600) };
  const back = new Promise((done) => socket.once("connect", done));
  socket.connect();
  await back;
  assert.equal(socket.recovered, true);
  await until("what was missed came", () => names(socket).includes("task:event_added"));
});

test("a token that ends soon after a recovery ends that connection", async () => {
  const socket = await stack.connect({ token: living(3600), base: stack.gateways[0].url });
  assert.ok((await ask(socket, "dashboard:join", {})).ok);
  socket.io.reconnection(false);
  socket.io.engine.close();
  await until("the connection is gone", () => !socket.connected);
  const exp = now() + 3;
  socket.auth = { token: stack.token("ann", "acme", { exp }) };
  socket.io.uri = stack.gateways[1].url;
  const over = ending(socket);
  socket.connect();
  const { reason, at } = await over;
  assert.equal(reason, "io server disconnect");
  assert.ok(at >= exp * 1000);
  assert.ok(names(socket).includes("auth:expiring"));
});
