// recovery.mjs -- connection state recovery, and what socket.io-client's tests ask of a server.
import { Peer, Polling, sleep } from "../rawclient.mjs";

const SESSION = "/socket.io/?EIO=4&transport=websocket";

// An offset is each server's own: `42["x",1,"<theirs>"]` becomes `42["x",1,"<offset>"]`.
export function withoutOffset(packet) {
  const found = /^(4[25](?:\d+-)?(?:\/[^,]*,)?)(\[.*\])$/s.exec(packet);
  if (!found) return packet;
  const array = JSON.parse(found[2]);
  if (typeof array.at(-1) !== "string" || array.length < 2) return packet;
  return found[1] + JSON.stringify([...array.slice(0, -1), "<offset>"]);
}

function offsetOf(packet) {
  return JSON.parse(packet.replace(/^4[25](\d+-)?(\/[^,]*,)?/, "")).at(-1);
}

class Person {
  constructor(port) {
    this.port = port;
    this.past = [];
  }

  async connect(auth = {}) {
    this.peer = new Peer(this.port, SESSION);
    await this.peer.until("0");
    this.peer.send(`40${JSON.stringify(auth)}`);
    await this.peer.until('42["state"');
    await sleep(30);
    Object.assign(this, JSON.parse(this.peer.seen.find((what) => what.startsWith("40")).slice(2)));
    this.offset = offsetOf(this.peer.seen.findLast((what) => what.startsWith("42")));
  }

  async say(...packets) {
    this.peer.send(...packets);
    await sleep(60);
    const last = this.peer.seen.findLast((what) => /^4[25](?!\d)/.test(what));
    if (last) this.offset = offsetOf(last);
  }

  async drop() {
    this.past.push(...this.peer.seen.slice(1), "--");
    this.peer.end();
    await sleep(60);
  }

  get key() {
    return { pid: this.pid, offset: this.offset };
  }

  // Both `auth` and the transcript hold pid and offset: names for them.
  transcript() {
    const all = [...this.past, ...this.peer.seen.slice(1)];
    this.peer.end();
    return all.map((what) => withoutOffset(what).replace(/"offset":"[^"]*"/g, '"offset":"<offset>"'));
  }
}

const STEPS = {
  "a fresh session": async () => {},
  "missed events come before CONNECT": async (a, b) => {
    await a.say('42["join","r"]');
    await a.drop();
    await b.say('42["say","r","one"]', '42["say","","two"]', '42["say","other","three"]', '42["say","r",{"n":4}]');
    await a.connect(a.key);
  },
  "nothing was missed": async (a) => {
    await a.drop();
    await a.connect(a.key);
  },
  "twice in a row": async (a, b) => {
    await a.say('42["join","r"]');
    await a.drop();
    await b.say('42["say","r","one"]');
    await a.connect(a.key);
    await a.drop();
    await b.say('42["say","r","two"]');
    await a.connect(a.key);
  },
  "the same old offset again": async (a, b) => {
    await a.say('42["join","r"]');
    const old = a.key;
    await a.drop();
    await b.say('42["say","r","one"]');
    await a.connect(old);
    await a.drop();
    await a.connect(old);
  },
  "an unknown pid": async (a) => {
    await a.drop();
    await a.connect({ ...a.key, pid: "nobody" });
  },
  "an unknown offset": async (a) => {
    await a.drop();
    await a.connect({ ...a.key, offset: "nothing" });
  },
  "no offset": async (a) => {
    await a.drop();
    await a.connect({ pid: a.pid });
  },
  "an offset that is no text": async (a) => {
    await a.drop();
    await a.connect({ pid: a.pid, offset: 1 });
  },
  "after leaving": async (a) => {
    a.peer.send("41");
    await sleep(60);
    await a.drop();
    await a.connect(a.key);
  },
  "the old socket is still there": async (a) => {
    const { key, peer } = a;
    await a.connect(key);
    peer.end();
  },
  "dropped by the server": async (a) => {
    await a.say('42["join","r"]', '42["drop"]');
    await a.drop();
    await a.connect(a.key);
  },
  "binary was missed": async (a, b) => {
    await a.drop();
    await b.say('451-["say","",{"_placeholder":true,"num":0}]', Buffer.from([1, 2]));
    await a.connect(a.key);
  },
  "its own events": async (a) => {
    await a.say('42["message",1,"x"]', '421["message-with-ack",2]');
  },
};

const recoveries = Object.entries(STEPS).map(([name, steps]) => ({
  name: `recovery: ${name}`,
  mode: "recover",
  alone: true,                                 // its broadcasts to all would be heard by others
  run: async (port) => {
    const a = new Person(port), b = new Person(port);
    await b.connect();
    await a.connect();
    await steps(a, b);
    b.peer.end();
    return a.transcript();
  },
}));

// --- socket.io-client's questions ---

const bin = Buffer.from([1, 2]);
const P0 = '{"_placeholder":true,"num":0}';

const QUESTIONS = {
  getId: ['421["getId"]'], hi: ['42["hi"]'], false: ['42["false"]'], echo: ['422["echo",{"a":[1,"b",null]}]'],
  "echo binary": [`451-3["echo",${P0}]`, bin], getDate: ['42["getDate"]'], getDateObj: ['42["getDateObj"]'],
  getAckDate: ['424["getAckDate",{"a":"b"}]'], getUtf8: ['42["getUtf8"]'], doge: ['42["doge"]'],
  buffa: [`451-["buffa",${P0}]`, bin], "buffa with text": ['42["buffa","x"]'],
  jsonbuff: [`451-["jsonbuff",{"hello":"lol","message":${P0},"goodbye":"gotcha"}]`, bin],
  "abuff1 and abuff2": [`451-["abuff1",${P0}]`, bin, '42["abuff2"]'], "abuff2 alone": ['42["abuff2"]'],
  getHandshake: ['425["getHandshake"]'],
};

function plain(packet) {
  return withoutOffset(packet)
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<date>")
    .replace(/"time":"[^"]*"/, (time) => time.replace(/\d\d:\d\d:\d\d/, "<clock>"))
    .replace(/"issued":\d+/, '"issued":<ms>')
    .replace(/127\.0\.0\.1:\d+/g, "<host>")
    .replace(/"sec-websocket-key":"[^"]*"/, '"sec-websocket-key":"<key>"');
}

async function ask(port, packets, query = "", connect = "40") {
  const peer = new Peer(port, SESSION + query, { headers: { "X-A": "1", Cookie: "a=b" } });
  await peer.until("0");
  peer.send(connect);
  await peer.until("4");
  for (const packet of packets) {
    peer.send(packet);
    await sleep(40);
  }
  await sleep(100);
  peer.end();
  return peer.seen.slice(1).map(plain);
}

const questions = [
  ...Object.entries(QUESTIONS).map(([name, packets]) => ({
    name: `sio-client: ${name}`, mode: "sio-client", run: (port) => ask(port, packets),
  })),
  ...["/abc,", '/abc,{"token":"t"}', "/foo,", "/no,", "/asd,", "/valid,", "/timeout_socket,", "/nothing,"].map((nsp) => ({
    name: `sio-client: connect to ${nsp}`, mode: "sio-client", run: (port) => ask(port, [], "&a=b%20c&k", `40${nsp}`),
  })),
  { name: "sio-client: refused on the main namespace", mode: "sio-client", run: (port) => ask(port, [], "&fail=1") },
  { name: "sio-client: fail with nothing is not refused", mode: "sio-client", run: (port) => ask(port, [], "&fail=") },
  {
    name: "sio-client: asked for an acknowledgement",
    mode: "sio-client",
    run: async (port) => {
      const peer = new Peer(port, SESSION);
      await peer.until("0");
      peer.send("40");
      await peer.until("40");
      peer.send('42["ack"]');
      await peer.until("42");
      const id = /^42(\d+)/.exec(peer.seen.at(-1))?.[1];
      peer.send(`43${id}[5,{"test":true}]`);
      await peer.until('42["got it"');
      peer.end();
      return peer.seen.slice(1).map((what) => plain(what).replace(/^42\d+\[/, "42<n>["));
    },
  },
  {
    name: "sio-client: a handshake over polling",
    mode: "sio-client",
    run: async (port) => {
      const p = new Polling(port);
      await p.open("&x=1&y=2%263", { "X-B": "b", Origin: "http://o.example" });
      await p.post("40/abc,{}");
      return (await p.drain("42/abc")).map(plain);
    },
  },
];

export const recoveryScenarios = [...recoveries, ...questions];
