// The JavaScript client against the echo application or a gateway. PACKAGE names which of the
// installed versions: socket.io-client (4.x) or socket.io-client-3.
import { once } from "node:events";
import { createRequire } from "node:module";

const { io } = createRequire(import.meta.url)(process.env.PACKAGE || "socket.io-client");
const [url, transport, scenario, token, taskId] = process.argv.slice(2);
const transports = { websocket: ["websocket"], polling: ["polling"], upgrade: ["polling", "websocket"] }[transport];
const TIMEOUT = 15_000;
let count = 0, failed = 0;

function check(name, passed, detail = "") {
  count++;
  if (!passed) failed++;
  console.log(`${passed ? "ok" : "not ok"} ${count} - ${name}${passed ? "" : ` (${JSON.stringify(detail)})`}`);
}

function collect(socket, name) {
  const seen = [], waiting = [];
  socket.on(name, (...args) => (waiting.length ? waiting.shift()(args) : seen.push(args)));
  return () => new Promise((done, fail) => {
    if (seen.length) return done(seen.shift());
    const timer = setTimeout(() => fail(new Error(`no ${name} within ${TIMEOUT} ms`)), TIMEOUT);
    waiting.push((args) => { clearTimeout(timer); done(args); });
  });
}

const open = (namespace, auth) => io(url + namespace, { transports, auth, forceNew: true, reconnection: false });
const call = (socket, name, ...args) => new Promise((done, fail) => {
  setTimeout(() => fail(new Error(`no answer to ${name}`)), TIMEOUT).unref();
  socket.emit(name, ...args, (...answer) => done(answer));
});
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function echo() {
  const socket = open("/", { token: "abc" });
  const auth = collect(socket, "auth"), back = collect(socket, "message-back");
  check("the auth payload arrives", same(await auth(), [{ token: "abc" }]));
  const args = ["text", 1, true, null, { a: [1, 2.5] }, "пойду ☃ 𝄞"];
  socket.emit("message", ...args);
  check("an event comes back", same(await back(), args));
  const bytes = Buffer.from([0, 1, 254, 255]);
  socket.emit("message", "bytes", bytes, { inside: [bytes] });
  const got = await back();
  check("binary comes back", bytes.equals(got[1]) && bytes.equals(got[2].inside[0]), got);
  const answer = await call(socket, "message-with-ack", 1, "two", bytes);
  check("an acknowledgement carries its arguments", answer[0] === 1 && answer[1] === "two" && bytes.equals(answer[2]), answer);
  for (let i = 0; i < 200; i++) socket.emit("message", i);
  const order = [];
  for (let i = 0; i < 200; i++) order.push((await back())[0]);
  check("two hundred events keep their order", order.every((n, i) => n === i), order);
  if (transport === "upgrade" && socket.io.engine.transport.name !== "websocket") await once(socket.io.engine, "upgrade");
  const name = socket.io.engine.transport.name;
  check("the transport is the one asked for", name === (transport === "polling" ? "polling" : "websocket"), name);
  const big = "x".repeat(100_000);
  socket.emit("message", big);
  check("a large message comes back", (await back())[0] === big);
  socket.disconnect();

  const custom = open("/custom", { token: "abc" });
  check("a second namespace opens", same(await collect(custom, "auth")(), [{ token: "abc" }]));
  custom.disconnect();
  const random = open("/random", {});
  const [error] = await collect(random, "connect_error")();
  check("an unknown namespace is refused", error.message === "Invalid namespace", error.message);
  random.disconnect();
}

async function gateway() {
  const socket = open("/", { token });
  const state = collect(socket, "task:state"), added = collect(socket, "task:event_added");
  await collect(socket, "connect")();
  check("a join is acknowledged", same(await call(socket, "task:join", { taskId }), [{ ok: true }]));
  check("the task's state came", (await state())[0].taskId === taskId);
  check("a dashboard join is acknowledged", same(await call(socket, "dashboard:join", {}), [{ ok: true }]));
  console.log("# joined");
  const seqs = [];
  for (let text = ""; text !== "done";) {
    const [event] = await added();
    seqs.push(event.seq);
    text = event.event.payload.text;
  }
  check("live events come without gap or repeat", seqs.every((n, i) => n === seqs[0] + i), seqs);
  socket.disconnect();
  const stranger = open("/", { token: "bad" });
  const [error] = await collect(stranger, "connect_error")();
  check("a bad token is refused", error.data?.code === "unauthorized", error.data);
  stranger.disconnect();
}

await (scenario === "echo" ? echo() : gateway()).catch((error) => check("the scenario goes through", false, String(error)));
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
