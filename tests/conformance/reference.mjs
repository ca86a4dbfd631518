// reference.mjs -- npm's own servers in the modes of our echo application, to compare answers with.
//
//   node reference.mjs MODE PORT      prints `MODE reference at http://127.0.0.1:PORT pid N`
//
// The modes are those of echo/: one public suite each. Everything here is what the packages do by
// themselves; a mode only adds the handlers that its suite speaks to.
import { createServer } from "node:http";
import { Server as EngineServer } from "engine.io";
import { Server as SocketServer } from "socket.io";
import { WebSocketServer } from "ws";

const FAST = { pingInterval: 300, pingTimeout: 200, maxHttpBufferSize: 1e6 };
const ANY_ORIGIN = { cors: { origin: "*" } };
const ENGINE_PATH = { path: "/engine.io/" };
const NUMBERS = Buffer.from([0, 1, 2, 3, 4]);

// --- handlers ---

function greet(socket) {
  socket.emit("auth", socket.handshake.auth);
}

function acknowledge(socket) {
  socket.on("message-with-ack", (...args) => args.at(-1)(...args.slice(0, -1)));
}

function chat(io) {
  io.on("connection", (socket) => {
    greet(socket);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    acknowledge(socket);
  });
  io.of("/custom").on("connection", greet);
  return io;
}

function probe(io) {
  chat(io);
  io.of("/custom").on("connection", acknowledge);
  for (const [name, data] of [["/no", undefined], ["/nodata", { code: 7 }]]) {
    io.of(name).use((socket, next) => {
      const error = new Error("Not authorized");
      error.data = data;
      next(error);
    });
  }
  io.on("connection", (socket) => {
    socket.on("kick", (transportToo) => socket.disconnect(transportToo));
    socket.on("ask", () => socket.emit("asked", 1, (...answer) => socket.emit("answered", ...answer)));
    socket.on("count", (x) => socket.emit("counted", x === undefined ? 0 : x.length));
  });
}

function recover(io) {
  chat(io);
  io.on("connection", (socket) => {
    socket.emit("state", { recovered: socket.recovered, rooms: socket.rooms.size });
    socket.on("join", (room) => socket.join(room));
    socket.on("drop", () => socket.conn.close());
    socket.on("say", (room, x, ms) => {
      setTimeout(() => (room ? io.to(room) : io).emit("said", x), ms ?? 0);
    });
  });
}

const TEXTS = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"];

function questions(socket) {
  let seen = false;
  const answers = {
    hi: () => socket.emit("hi"),
    false: () => socket.emit("false", false),
    echo: (x, done) => done(x),
    ack: () => socket.emit("ack", (a, b) => { if (a === 5 && b.test) socket.emit("got it"); }),
    getHandshake: (done) => done(socket.handshake),
    getAckDate: (_, done) => done(new Date()),
    getDate: () => socket.emit("takeDate", new Date()),
    getDateObj: () => socket.emit("takeDateObj", { date: new Date() }),
    getUtf8: () => TEXTS.forEach((text) => socket.emit("takeUtf8", text)),
    doge: () => socket.emit("doge", Buffer.from("asdfasdf")),
    buffa: (x) => { if (Buffer.isBuffer(x)) socket.emit("buffack"); },
    jsonbuff: (x) => {
      if (x.hello === "lol" && x.goodbye === "gotcha" && Buffer.isBuffer(x.message)) socket.emit("jsonbuff-ack");
    },
    abuff1: (x) => { seen ||= Buffer.isBuffer(x); },
    abuff2: () => { if (seen) socket.emit("abuff2-ack"); },
  };
  for (const [name, answer] of Object.entries(answers)) socket.on(name, answer);
}

function tellId(socket) {
  socket.on("getId", (done) => done(socket.id));
}

function socketClient(io) {
  for (const name of ["/timeout_socket", "/valid", "/asd"]) io.of(name);
  io.of("/foo").on("connection", tellId);
  io.of("/abc").on("connection", (socket) => socket.emit("handshake", socket.handshake));
  io.of("/no").use((_, next) => next(new Error("Auth failed (custom namespace)")));
  io.use((socket, next) => {
    next(socket.handshake.query.fail ? new Error("Auth failed (main namespace)") : undefined);
  });
  io.on("connection", (socket) => { tellId(socket); questions(socket); });
}

// --- engine.io alone ---

function engineEcho(http) {
  const engine = new EngineServer({ ...FAST, ...ANY_ORIGIN });
  engine.attach(http, ENGINE_PATH);
  engine.on("connection", (session) => session.on("data", (data) => session.send(data)));
}

function engineClient(http) {
  const engine = new EngineServer({
    pingInterval: 500,
    maxHttpBufferSize: 100,
    allowRequest: (request, next) => next(null, !new URL(request.url, "http://x").searchParams.has("deny")),
  });
  engine.attach(http, ENGINE_PATH);
  engine.on("initial_headers", (headers) => {
    headers["set-cookie"] = ["1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
      "3=3; Max-Age=0", `4=4; Expires=${new Date().toUTCString()}`];
  });
  engine.on("connection", (session) => {
    session.send("hi");
    session.on("message", (data) => {
      if (data === "give binary") session.send(NUMBERS);
      else if (data === "give utf8") session.send("пойду спать всем спокойной ночи");
      else if (data === "sendHeaders") session.send(JSON.stringify(session.transport.dataReq?.headers));
      else session.send(data);
    });
  });
}

function websocketEcho(http) {
  const limits = { maxPayload: 64 << 20, maxFragments: 0, maxBufferedChunks: 0 };
  const server = new WebSocketServer({ server: http, ...limits, perMessageDeflate: { threshold: 0 } });
  server.on("connection", (peer) => {
    peer.on("error", () => {});
    peer.on("message", (data, binary) => peer.send(data, { binary }));
  });
}

// --- modes ---

const socketIo = (handlers, options) => (http) => handlers(new SocketServer(http, options));

const MODES = {
  eio: engineEcho,
  "eio-client": engineClient,
  ws: websocketEcho,
  sio: socketIo(chat, { ...FAST, ...ANY_ORIGIN, connectTimeout: 1000 }),
  chat: socketIo(chat, ANY_ORIGIN),
  probe: socketIo(probe, ANY_ORIGIN),
  recover: socketIo(recover, { ...ANY_ORIGIN, connectionStateRecovery: { maxDisconnectionDuration: 120000 } }),
  "sio-client": socketIo(socketClient, {
    pingInterval: 2000,
    connectionStateRecovery: {},
    allowRequest: (_, next) => setTimeout(next, 10, null, true),
  }),
};

const [mode, port] = process.argv.slice(2);
if (!MODES[mode]) {
  console.error(`usage: node reference.mjs MODE PORT\nmodes: ${Object.keys(MODES).join(" ")}`);
  process.exit(2);
}
const http = createServer((_, answer) => answer.writeHead(404).end());
MODES[mode](http);
http.listen(Number(port ?? 0), "127.0.0.1", () => {
  console.log(`${mode} reference at http://127.0.0.1:${http.address().port} pid ${process.pid}`);
});
process.on("SIGTERM", () => process.exit(0));
