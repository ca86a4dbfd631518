// clients.mjs -- npm's own socket.io-client against our echo application: what people will run.
//
//   node clients.mjs [PATTERN]      prints TAP and a last line `N passed, N failed, N skipped`
//
// A test gets the port of an echo in its mode and throws what is wrong. Nothing waits for a time where
// it can wait for an event; every wait has an end.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Manager, io } from "socket.io-client";
import { WebSocket } from "ws";
import { PATIENCE_MS, Peer, sleep } from "./rawclient.mjs";
import { startEcho, stop } from "./servers.mjs";

const POLLING = { transports: ["polling"] };
const WEBSOCKET = { transports: ["websocket"] };
const BOTH = {};

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no ${what} in time`)), PATIENCE_MS); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const next = (emitter, event) => within(once(emitter, event), event);

// The first event of a name of which `wanted` is true.
function until(socket, event, wanted) {
  return within(new Promise((resolve) => {
    const look = (...args) => { if (wanted(...args)) { socket.off(event, look); resolve(args); } };
    socket.on(event, look);
  }), event);
}

class Guests {
  constructor(port) { this.port = port; this.sockets = []; }

  open(nsp = "/", options = {}) {
    const socket = io(`http://127.0.0.1:${this.port}${nsp}`, { forceNew: true, ...options });
    this.sockets.push(socket);
    return socket;
  }

  async enter(nsp, options) {
    const socket = this.open(nsp, options);
    await next(socket, "connect");
    return socket;
  }

  leave() { for (const socket of this.sockets) socket.disconnect().io._close?.(); }
}

const tests = [];
const test = (mode, name, run) => tests.push({ mode, name, run });

for (const [how, options] of Object.entries({ "over polling": POLLING, "over a websocket": WEBSOCKET, "with an upgrade": BOTH })) {
  test("probe", `${how}: connects, is told its auth, echoes`, async (g) => {
    const socket = g.open("/", { ...options, auth: { token: "abc", n: [1, null] } });
    assert.deepEqual(await next(socket, "auth"), [{ token: "abc", n: [1, null] }]);
    assert.notEqual(socket.id, socket.io.engine.id);
    socket.emit("message", 1, "2", { 3: [null, true] });
    assert.deepEqual(await next(socket, "message-back"), [1, "2", { 3: [null, true] }]);
  });

  test("probe", `${how}: acknowledges, with binary too`, async (g) => {
    const socket = await g.enter("/", options);
    assert.deepEqual(await within(socket.emitWithAck("message-with-ack", "x"), "ack"), "x");
    const back = await within(socket.emitWithAck("message-with-ack", { a: [Buffer.from([1, 2, 3])] }), "ack");
    assert.deepEqual(Buffer.from(back.a[0]), Buffer.from([1, 2, 3]));
  });

  test("probe", `${how}: binary comes back whole and in place`, async (g) => {
    const socket = await g.enter("/", options);
    const big = Buffer.alloc(300000, "ä");
    socket.emit("message", Buffer.from([0]), { deep: [Buffer.alloc(0), big] });
    const [a, b] = await next(socket, "message-back");
    assert.deepEqual([Buffer.from(a), Buffer.from(b.deep[0]), Buffer.from(b.deep[1])], [Buffer.from([0]), Buffer.alloc(0), big]);
  });

  test("probe", `${how}: five hundred events keep their order`, async (g) => {
    const socket = await g.enter("/", options);
    const heard = [];
    socket.on("message-back", (n) => heard.push(n));
    const all = until(socket, "message-back", (n) => n === 499);
    for (let n = 0; n < 500; n++) socket.emit("message", n);
    await all;
    assert.deepEqual(heard, Array.from({ length: 500 }, (_, n) => n));
  });

  test("probe", `${how}: is kicked, and does not come back by itself`, async (g) => {
    const socket = await g.enter("/", options);
    socket.emit("kick", true);
    assert.equal((await next(socket, "disconnect"))[0], "io server disconnect");
    await sleep(50);
    assert.equal(socket.active, false);
  });

  test("probe", `${how}: leaves and comes again with another sid`, async (g) => {
    const socket = await g.enter("/", options);
    const before = socket.id;
    socket.disconnect().connect();
    await next(socket, "connect");
    assert.notEqual(socket.id, before);
  });
}

test("probe", "upgrades while events are under way, none lost, none twice", async (g) => {
  const socket = g.open("/");
  const heard = [];
  socket.on("message-back", (n) => heard.push(n));
  const upgraded = new Promise((resolve) => socket.io.on("open", () => socket.io.engine.once("upgrade", resolve)));
  await next(socket, "connect");
  const all = until(socket, "message-back", (n) => n === 299);
  for (let n = 0; n < 300; n++) {
    socket.emit("message", n);
    if (n % 10 === 0) await sleep(1);
  }
  await all;
  await within(upgraded, "upgrade");
  assert.deepEqual(heard, Array.from({ length: 300 }, (_, n) => n));
  assert.equal(socket.io.engine.transport.name, "websocket");
});

test("probe", "several namespaces on one connection", async (g) => {
  const manager = new Manager(`http://127.0.0.1:${g.port}`, WEBSOCKET);
  const main = manager.socket("/"), custom = manager.socket("/custom", { auth: { who: "me" } });
  const no = manager.socket("/no"), nodata = manager.socket("/nodata"), none = manager.socket("/none");
  g.sockets.push(main, custom, no, nodata, none);
  const refused = Promise.all([no, nodata, none].map((socket) => next(socket, "connect_error")));
  assert.deepEqual(await next(custom, "auth"), [{ who: "me" }]);
  const [[a], [b], [c]] = await refused;
  assert.deepEqual([a.message, b.message, b.data, c.message], ["Not authorized", "Not authorized", { code: 7 }, "Invalid namespace"]);
  assert.notEqual(main.id, custom.id);
  custom.disconnect();
  assert.equal(await within(main.emitWithAck("message-with-ack", 1), "ack"), 1);
});

test("probe", "the server asks and the client answers", async (g) => {
  const socket = await g.enter("/", WEBSOCKET);
  socket.on("asked", (n, done) => done(n + 1, "two"));
  socket.emit("ask");
  assert.deepEqual(await next(socket, "answered"), [2, "two"]);
});

test("probe", "a packet over the limit closes with 413 over polling", async (g) => {
  const socket = await g.enter("/", { ...POLLING, reconnection: false });
  socket.emit("message", "x".repeat(1000001));
  const [reason, details] = await next(socket, "disconnect");
  assert.equal(reason, "transport error");
  assert.equal(details.description, 413);
});

test("probe", "an acknowledgement that does not come times out at the client", async (g) => {
  const socket = await g.enter("/", WEBSOCKET);
  await assert.rejects(socket.timeout(50).emitWithAck("unknown"), /timed out/);
});

test("probe", "comes back by itself after its connection was cut", async (g) => {
  const socket = await g.enter("/", { ...WEBSOCKET, reconnectionDelay: 10 });
  const before = socket.id;
  socket.io.engine.close();
  await next(socket, "connect");
  assert.notEqual(socket.id, before);
});

test("sio", "the server's pings keep a quiet client for several intervals", async (g) => {
  const socket = await g.enter("/", WEBSOCKET);
  await sleep(1700);
  assert.equal(socket.connected, true);
  assert.equal(await within(socket.emitWithAck("message-with-ack", "still"), "ack"), "still");
});

test("recover", "a cut client continues with what it missed", async (g) => {
  const other = await g.enter("/", WEBSOCKET);
  const socket = g.open("/", { ...WEBSOCKET, reconnectionDelay: 50 });
  await next(socket, "state");
  const { id } = socket;
  const heard = [];
  socket.on("said", (x) => heard.push(x));
  socket.emit("join", "room");
  socket.emit("message", "joined");
  await next(socket, "message-back");
  socket.io.engine.close();
  other.emit("say", "room", 1);
  other.emit("say", "elsewhere", 2);
  other.emit("say", "room", 3);
  await next(socket, "connect");
  assert.equal(socket.recovered, true);
  assert.equal(socket.id, id);
  other.emit("say", "room", 4);
  await until(socket, "said", (x) => x === 4);
  assert.deepEqual(heard, [1, 3, 4]);
});

test("recover", "ten cuts in a row lose nothing and repeat nothing", async (g) => {
  const other = await g.enter("/", WEBSOCKET);
  const socket = g.open("/", { ...WEBSOCKET, reconnectionDelay: 10, reconnectionDelayMax: 20 });
  await next(socket, "state");
  const heard = [];
  socket.on("said", (x) => heard.push(x));
  socket.emit("join", "r");
  assert.equal(await within(socket.emitWithAck("message-with-ack", 0), "ack"), 0);
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 10; n++) other.emit("say", "r", round * 10 + n);
    await sleep(3 * round);
    socket.io.engine.close();
    await next(socket, "connect");
    assert.equal(socket.recovered, true);
  }
  other.emit("say", "r", 100);
  await until(socket, "said", (x) => x === 100);
  assert.deepEqual(heard, Array.from({ length: 101 }, (_, n) => n));
});

// Three hundred websockets, a third of them in the room, a hundred broadcasts.
test("recover", "a crowd hears every broadcast once, in order, and nobody else does", async (g) => {
  const crowd = Array.from({ length: 300 }, () => new Peer(g.port, "/socket.io/?EIO=4&transport=websocket"));
  g.sockets.push({ disconnect: () => { crowd.forEach((peer) => peer.end()); return { io: {} }; } });
  const speaker = await g.enter("/", WEBSOCKET);
  for (const [i, peer] of crowd.entries()) {
    await peer.until("0");
    peer.send("40", ...(i % 3 === 0 ? ['42["join","crowd"]'] : []), '421["message-with-ack"]');
  }
  await Promise.all(crowd.map((peer) => peer.until("431")));
  for (let n = 0; n < 100; n++) speaker.emit("say", "crowd", n);
  speaker.emit("say", "", "end");
  await Promise.all(crowd.map((peer) => peer.until('42["said","end"')));
  for (const [i, peer] of crowd.entries()) {
    const said = peer.seen.filter((what) => what.startsWith('42["said"')).map((what) => JSON.parse(what.slice(2))[1]);
    assert.deepEqual(said, [...(i % 3 === 0 ? Array.from({ length: 100 }, (_, n) => n) : []), "end"]);
  }
});

test("sio-client", "asks for everything that socket.io-client's tests ask for", async (g) => {
  const socket = await g.enter("/", { ...WEBSOCKET, query: { key1: "1" }, auth: { token: "t" }, extraHeaders: { "X-Custom": "yes" } });
  assert.equal(await within(socket.emitWithAck("getId"), "ack"), socket.id);
  const handshake = await within(socket.emitWithAck("getHandshake"), "ack");
  assert.equal(handshake.query.key1, "1");
  assert.equal(handshake.headers["x-custom"], "yes");
  assert.deepEqual(handshake.auth, { token: "t" });
  assert.ok(!Number.isNaN(Date.parse(handshake.time)));
  socket.emit("doge");
  assert.deepEqual(Buffer.from((await next(socket, "doge"))[0]), Buffer.from("asdfasdf"));
  socket.emit("getDateObj");
  assert.ok(!Number.isNaN(Date.parse((await next(socket, "takeDateObj"))[0].date)));
});

// permessage-deflate, fragments and size: the plain websocket echo.
for (const perMessageDeflate of [false, true]) {
  test("ws", `plain websockets${perMessageDeflate ? " with permessage-deflate" : ""}: from nothing to sixteen mebibytes`, async (g) => {
    const ws = new WebSocket(`ws://127.0.0.1:${g.port}/any`, { perMessageDeflate, maxPayload: 64 << 20 });
    g.sockets.push({ disconnect: () => { ws.terminate(); return { io: {} }; } });
    await next(ws, "open");
    for (const size of [0, 1, 125, 126, 65535, 65536, 16 << 20]) {
      const data = Buffer.alloc(size, "abc ä ");
      ws.send(data, { binary: true });
      const [back, isBinary] = await next(ws, "message");
      assert.ok(isBinary && back.equals(data), `${size} bytes`);
    }
    for (let n = 0; n < 2000; n++) ws.send(String(n % 10), { fin: n === 1999, binary: false });
    const [text, isBinary] = await next(ws, "message");
    assert.equal(isBinary, false);
    assert.equal(text.toString(), Array.from({ length: 2000 }, (_, n) => n % 10).join(""));
  });
}

test("h1", "any method on any path: what came goes back", async (g) => {
  for (const [method, body] of [["GET"], ["POST", "äbc"], ["PUT", "x".repeat(100000)], ["DELETE"], ["PATCH", "p"]]) {
    const answer = await fetch(`http://127.0.0.1:${g.port}/a%20b?${method}`, { method, body });
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), body ?? "");
  }
});

// --- running them ---

const sums = { passed: 0, failed: 0 };
let count = 0;

function report(name, error) {
  count++;
  sums[error ? "failed" : "passed"]++;
  console.log(`${error ? "not ok" : "ok"} ${count} - ${name}`);
  if (error) console.log(`#   ${String(error.stack ?? error).replaceAll("\n", "\n#   ")}`);
}

async function runMode(mode, chosen) {
  const echo = await startEcho(mode);
  for (const { name, run } of chosen) {
    const guests = new Guests(echo.port);
    report(`${mode}: ${name}`, await run(guests).then(() => null, (error) => error));
    guests.leave();
  }
  const exit = await stop(echo);
  report(`${mode}: echo ends cleanly`, exit === 0 && echo.errors === "" ? null : `exit ${exit}: ${echo.errors}`);
}

const wanted = process.argv[2] ?? "";
for (const mode of new Set(tests.map((one) => one.mode))) {
  const chosen = tests.filter((one) => one.mode === mode && one.name.includes(wanted));
  if (chosen.length > 0) await runMode(mode, chosen);
}
console.log(`1..${count}`);
console.log(`${sums.passed} passed, ${sums.failed} failed, 0 skipped`);
process.exit(sums.failed === 0 ? 0 : 1);
