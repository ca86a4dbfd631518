// transport.mjs -- websockets and upgrades: handshakes, probes, frames, closes.
import { Peer, Polling, rawBytes, request, sleep } from "../rawclient.mjs";

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const SESSION = "/socket.io/?EIO=4&transport=websocket";

const HANDSHAKES = [
  ["fine", "GET", SESSION, UPGRADE + KEY + VERSION],
  ["in lower case", "GET", SESSION, "connection: upgrade\r\nupgrade: WebSocket\r\n" + KEY + VERSION],
  ["with keep-alive beside", "GET", SESSION, "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" + KEY + VERSION],
  ["with an unknown sid", "GET", `${SESSION}&sid=unknown`, UPGRADE + KEY + VERSION],
  ["with an unknown transport", "GET", "/socket.io/?EIO=4&transport=foo", UPGRADE + KEY + VERSION],
  ["without a transport", "GET", "/socket.io/?EIO=4", UPGRADE + KEY + VERSION],
  ["of version 12", "GET", SESSION, UPGRADE + KEY + "Sec-WebSocket-Version: 12\r\n"],
  ["of version 8", "GET", SESSION, UPGRADE + KEY + "Sec-WebSocket-Version: 8\r\n"],
  ["without a version", "GET", SESSION, UPGRADE + KEY],
  ["without a key", "GET", SESSION, UPGRADE + VERSION],
  ["with a short key", "GET", SESSION, UPGRADE + "Sec-WebSocket-Key: abc\r\n" + VERSION],
  ["of h2c", "GET", SESSION, "Connection: Upgrade\r\nUpgrade: h2c\r\n" + KEY + VERSION],
  ["by POST", "POST", SESSION, UPGRADE + KEY + VERSION],
  ["of protocol 3", "GET", "/socket.io/?EIO=3&transport=websocket", UPGRADE + KEY + VERSION],
  ["of polling", "GET", "/socket.io/?EIO=4&transport=polling", UPGRADE + KEY + VERSION],
  ["that offers deflate", "GET", SESSION, UPGRADE + KEY + VERSION + "Sec-WebSocket-Extensions: permessage-deflate\r\n"],
  ["that offers a protocol", "GET", SESSION, UPGRADE + KEY + VERSION + "Sec-WebSocket-Protocol: a, b\r\n"],
];

// The status, the headers of interest, and for a refusal the body.
function head(text) {
  const [top, ...rest] = text.split("\r\n\r\n");
  const lines = top.split("\r\n");
  const kept = lines.slice(1).filter((line) => /^(sec-websocket|upgrade|content-type|connection)/i.test(line))
    .map((line) => line.toLowerCase()).sort();
  const body = lines[0].includes(" 101 ") ? [] : [rest.join("\r\n\r\n")];
  return [lines[0], ...kept, ...body];
}

const handshakes = HANDSHAKES.map(([name, method, path, headers]) => ({
  name: `websocket handshake ${name}`,
  mode: "probe",
  run: async (port) => {
    const { text } = await rawBytes(port, `${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    return head(text);
  },
}));

// --- upgrades ---

async function opened(port) {
  const p = new Polling(port);
  await p.open();
  await p.post("40");
  await p.drain("42");
  return p;
}

const socketPath = (p) => `/socket.io/?EIO=4&transport=websocket&sid=${p.sid}`;

async function alive(p) {
  const posted = await p.post('4298765["message-with-ack"]');
  return [`alive: ${posted.status}`, ...await p.drain("4398765")];
}

// Each gets a polling session in the main namespace and a websocket onto it.
const UPGRADES = {
  "the whole way": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    const noop = await p.get();
    peer.send("5", '42["message","over"]');
    await peer.until("42");
    const late = await p.get();
    const lateToo = await p.post("3");
    return [noop.body, `${late.status} ${late.body}`, `${lateToo.status} ${lateToo.body}`, ...peer.seen];
  },
  "what was queued comes over the websocket": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    await p.get();
    await p.post('42["message","queued"]');
    peer.send("5");
    await peer.until("42");
    return peer.seen;
  },
  "a GET after the probe ends with a noop": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    await sleep(250);
    return [(await p.get()).body, (await p.get()).body];
  },
  "a GET that still hangs at the upgrade": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    const hanging = p.get();
    await sleep(20);
    peer.send("5");
    return [(await hanging).body];
  },
  "a wrong probe": async (p, peer) => {
    peer.send("2probex");
    await peer.until("close");
    return [...peer.seen, ...await alive(p)];
  },
  "a message for a probe": async (p, peer) => {
    peer.send("40");
    await peer.until("close");
    return [...peer.seen, ...await alive(p)];
  },
  "gone after the probe": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    peer.end();
    await peer.until("close");
    await sleep(150);
    return alive(p);
  },
  "an upgrade without a probe": async (p, peer) => {
    peer.send("5", '42["message","x"]');
    await peer.until("4", 1500);
    return peer.seen;
  },
  "a second websocket while the first probes": async (p, peer, second) => {
    peer.send("2probe");
    await peer.until("3probe");
    const other = second();
    await other.until("close", 1500);
    peer.send("5", '42["message","first"]');
    await peer.until("42");
    return [...other.seen, "--", ...peer.seen];
  },
  "a second websocket after the upgrade": async (p, peer, second) => {
    peer.send("2probe");
    await peer.until("3probe");
    await p.get();
    peer.send("5");
    await sleep(100);
    const other = second();
    await other.until("close", 1500);
    peer.send('42["message","first"]');
    await peer.until("42");
    return [...other.seen, "--", ...peer.seen];
  },
  "the session closes while probing": async (p, peer) => {
    peer.send("2probe");
    await peer.until("3probe");
    await p.post("1");
    await peer.until("close", 1500);
    return peer.seen;
  },
};

const upgrades = Object.entries(UPGRADES).map(([name, steps]) => ({
  name: `upgrade: ${name}`,
  mode: "probe",
  run: async (port) => {
    const p = await opened(port);
    const peers = [new Peer(port, socketPath(p))];
    await peers[0].opened;
    const second = () => { peers.push(new Peer(port, socketPath(p))); return peers.at(-1); };
    const transcript = await steps(p, peers[0], second);
    peers.forEach((peer) => peer.end());
    return transcript;
  },
}));

// --- packets of Engine.IO over a websocket ---

const FRAMES = [
  ["text", ["4hello"]], ["utf-8", ["4ä€😀"]], ["an empty message", ["4"]], ["binary", [Buffer.from([1, 2, 3])]],
  ["empty binary", [Buffer.alloc(0)]], ["an unasked pong", ["3", "4x"]], ["a noop", ["6", "4x"]],
  ["an open packet", ["0", "4x"]], ["an upgrade packet", ["5", "4x"]], ["a ping", ["2", "4x"]],
  ["an unknown type", ["7", "4x"]], ["a letter", ["abc", "4x"]], ["nothing", ["", "4x"]],
  ["two packets with RS in one message", ["4a\x1e4b"]], ["base64 as text", ["bAQID", "4x"]],
  ["a message of the whole limit", [`4${"x".repeat(999999)}`]], ["a message over the limit", [`4${"x".repeat(1000000)}`]],
];

const frames = FRAMES.map(([name, packets]) => ({
  name: `websocket engine: ${name}`,
  mode: "eio",
  run: async (port) => {
    const peer = new Peer(port, "/engine.io/?EIO=4&transport=websocket");
    await peer.until("0");
    peer.send(...packets);
    for (let ms = 0; ms < 3000 && !peer.seen.slice(1).some((what) => what !== "2"); ms += 20) await sleep(20);
    await sleep(250);                          // what more there is
    peer.end();
    return peer.seen.slice(1).filter((what) => what !== "2").map((what) => (what.length > 100 ? `${what.length} characters` : what));
  },
}));

// --- time ---
//
// On a busy machine the beginning is seen late as easily as the end: "on time" is neither at
// once nor hardly ever. The unit tests of heartbeats look closer.

const times = [
  {
    name: "time: no pong, closed after interval and timeout",
    mode: "sio",
    run: async (port) => {
      const peer = new Peer(port, SESSION);
      await peer.until("0");
      const from = Date.now();
      await peer.until("close");
      const ms = Date.now() - from;
      return [...peer.seen.slice(1), ms >= 250 && ms < 3000 ? "on time" : `${ms} ms`];
    },
  },
  {
    name: "time: pongs keep it, over polling too",
    mode: "sio",
    run: async (port) => {
      const p = new Polling(port);
      await p.open();
      const seen = [];
      for (let i = 0; i < 3; i++) {
        seen.push((await p.get()).body);
        await p.post("3");
      }
      return seen;
    },
  },
  {
    name: "time: no poll at all, gone exactly after interval and timeout",
    mode: "sio",
    run: async (port) => {
      const p = new Polling(port);
      await p.open();
      await sleep(500);
      const answer = await p.get();
      return [`${answer.status} ${answer.body}`];
    },
  },
  {
    name: "time: no CONNECT, closed after connectTimeout",
    mode: "sio",
    run: async (port) => {
      const peer = new Peer(port, SESSION);
      await peer.until("0");
      const from = Date.now();
      peer.socket.on("message", (data) => { if (data.toString() === "2") peer.send("3"); });
      await peer.until("close");
      const ms = Date.now() - from;
      return [...peer.seen.slice(1), ms >= 500 && ms < 4000 ? "on time" : `${ms} ms`];
    },
  },
  {
    name: "time: a refused CONNECT does not count",
    mode: "sio",
    run: async (port) => {
      const peer = new Peer(port, SESSION);
      await peer.until("0");
      peer.socket.on("message", (data) => { if (data.toString() === "2") peer.send("3"); });
      peer.send("40/random,");
      await peer.until("close");
      return peer.seen.slice(1);
    },
  },
];

const methods = [{
  name: "http: GET and POST with the sid of a websocket",
  mode: "probe",
  run: async (port) => {
    const peer = new Peer(port, SESSION);
    await peer.until("0");
    const { sid } = JSON.parse(peer.seen[0].slice(1));
    const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    const got = await request(port, { path });
    const posted = await request(port, { method: "POST", path, body: "3" });
    peer.end();
    return [got.status, got.body, posted.status, posted.body];
  },
}];

export const transportScenarios = [...handshakes, ...upgrades, ...frames, ...times, ...methods];
