// packets.mjs -- Socket.IO packets, each row over polling and over a websocket.
//
// A row is what a client says, in order. After a CONNECT its answer is waited for. Then an end is
// asked for that a living session answers: an acknowledgement where the main namespace is joined,
// else a CONNECT; so a row shows all that was answered, or that the session was closed.
import { Peer, Polling, sleep } from "../rawclient.mjs";

const END_ACK = '4298765["message-with-ack","end"]';
const HOLD_MS = 25;                            // between packets: the reference handles them a tick later

const P0 = '{"_placeholder":true,"num":0}';
const P1 = '{"_placeholder":true,"num":1}';
const bin = (...bytes) => Buffer.from(bytes);

// name, packets, and where the main namespace is not joined at the end: what to ask then
const ROWS = [
  // connecting
  ["connect", ["40"]],
  ["connect with auth", ['40{"token":"x","n":[1,2.50,"ä",null]}']],
  ["connect with a comma", ["40,"], "40"],
  ["connect to a namespace", ["40/custom,"], "40"],
  ["connect to a namespace without a comma", ["40/custom"], "40"],
  ["connect to a namespace with auth", ['40/custom,{"a":1}'], "40"],
  ["connect to both", ["40", '40/custom,{"b":2}']],
  ["connect with an id", ["405{}"], "40/custom,"],
  ["connect with white space", ["40 {} "], "40/custom,"],
  ["connect twice", ["40", "40"]],
  ["connect twice to a namespace", ["40", "40/custom,", "40/custom,"]],
  ["connect with null", ["40null"], "40"],
  ["connect with an array", ["40[]"], "40"],
  ["connect with text", ['40"x"'], "40"],
  ["connect with a number", ["40/custom,1"], "40"],
  ["connect with broken JSON", ["40{"], "40"],
  ["connect with JSON and more", ["40{}x"], "40"],
  ["unknown namespace", ["40/random"], "40"],
  ["unknown namespace with auth", ['40/random,{"a":1}'], "40"],
  ["namespace with a query", ["40/custom?x=1,"], "40"],
  ["namespace of a slash", ["40/,"], "40"],
  ["namespace refused", ["40/no,"], "40"],
  ["namespace refused with data", ["40/nodata,"], "40"],
  ["namespace refused, twice", ["40/no,", "40/no,"], "40"],
  ["main and refused", ["40", "40/no,", "40/random,"]],
  // leaving
  ["leave and connect again", ["40", "41"], "40"],
  ["leave a namespace", ["40", "40/custom,", "41/custom,"]],
  ["leave a namespace without a comma", ["40", "40/custom,", "41/custom"]],
  ["leave with a payload", ["40", "41{}"], "40"],
  ["leave with text", ["40", '41"bye"'], "40"],
  ["leave what one is not in", ["41"], "40"],
  ["leave a namespace one is not in", ["40", "41/custom,"]],
  ["leave a namespace that is none", ["40", "41/random,"]],
  ["leave twice", ["40", "41", "41"], "40"],
  // events
  ["an event", ["40", '42["message","a"]']],
  ["an event without arguments", ["40", '42["message"]']],
  ["an event with everything", ["40", '42["message",1,-2.5,true,false,null,"x",[],{},{"a":[{"b":1}]}]']],
  ["an event with white space", ["40", '42 ["message"]'], "40/custom,"],
  ["an event with white space inside", ["40", '42[ "message" , { "a" : 1 } ]\n']],
  ["an event with spellings of numbers", ["40", '42["message",1.0,1e2,0.10,-0,1E-7,123456789012345680000,1e21,0.000001,5e-324]']],
  ["an event with spellings of text", ["40", '42["message","\\u00e4\\/\\n\\u0007\\"\\\\","\\ud83d\\ude00","\\ud800","ä€😀"]']],
  ["an event with a name in escapes", ["40", '42["mess\\u0061ge",1]']],
  ["an event with RS in its text", ["40", '42["message","a\\u001eb"]']],
  ["an event with U+2028", ["40", '42["message","\u2028\u2029\u007f"]']],
  ["an event of a number", ["40", '42[5,"x"]']],
  ["an event nobody knows", ["40", '42["unknown",1]']],
  ["an event nobody knows with an id", ["40", '4212["unknown",1]']],
  ["an event of an empty name", ["40", '42[""]']],
  ["an event named error", ["40", '42["error","x"]']],
  ["an event of nothing", ["40", "42"]],
  ["an event of an id alone", ["40", "4212"]],
  ["an event with a placeholder in plain text", ["40", `42["message",${P0}]`]],
  ["an event in a namespace", ["40", "40/custom,", '42/custom,["unknown"]']],
  ["an event for a namespace not joined", ["40", '42/custom,["x"]']],
  ["an event for a namespace that is none", ["40", '42/random,["x"]']],
  ["an event before connecting", ['42["message"]'], "40"],
  ["an event after leaving", ["40", "41", '42["message"]'], "40"],
  ["an event of an empty array", ["40", "42[]"]],
  ["an event of an object", ["40", "42{}"]],
  ["an event named null", ["40", "42[null]"]],
  ["an event named true", ["40", "42[true]"]],
  ["an event named by an object", ["40", "42[{}]"]],
  ["an event named by an array", ["40", '42[["message"]]']],
  ["an event of text", ["40", '42"message"']],
  ["an event of broken JSON", ["40", '42["message"']],
  ["an event with a trailing comma", ["40", '42["message",]']],
  ["an event with single quotes", ["40", "42['message']"]],
  ["an event with junk before", ["40", '42x["message"]']],
  ["an event with a comma before", ["40", '42,["message"]']],
  ["an event with a sign before", ["40", '42-1["message"]']],
  ["an event with junk behind", ["40", '42["message"]x']],
  ["an event with a leading zero inside", ["40", '42["message",01]']],
  ["an event with a raw line end in its text", ["40", '42["message","a\nb"]']],
  ...["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    .map((name) => [`an event named ${name}`, ["40", `42["${name}"]`]]),
  ["a reserved name in escapes", ["40", '42["\\u0063onnect"]']],
  ["a name that only begins so", ["40", '42["connected"]']],
  // acknowledgements
  ["an acknowledgement", ["40", '42456["message-with-ack",1,"2",{"3":[false]}]']],
  ["an acknowledgement of nothing", ["40", '420["message-with-ack"]']],
  ["an acknowledgement with id 0", ["40", '420["message-with-ack",1]']],
  ["an acknowledgement with id 00", ["40", '4200["message-with-ack",1]']],
  ["an acknowledgement with a big id", ["40", '429007199254740991["message-with-ack",1]']],
  ["an acknowledgement with an id that loses digits", ["40", '429007199254740993["message-with-ack",1]']],
  ["an acknowledgement with an id past all integers", ["40", '4299999999999999999999["message-with-ack",1]']],
  ["an acknowledgement in a namespace", ["40", "40/custom,", '42/custom,7["message-with-ack",1]']],
  ["the same id twice", ["40", '421["message-with-ack",1]', '421["message-with-ack",2]']],
  ["an answer nobody waits for", ["40", "437[1]"]],
  ["an answer without an id", ["40", "43[1]"]],
  ["an answer without anything", ["40", "43"]],
  ["an answer that is no array", ["40", "437{}"]],
  ["an answer that is broken", ["40", "437[1"]],
  ["an answer that is null", ["40", "437null"]],
  ["an answer for a namespace not joined", ["40", "43/custom,7[1]"]],
  // what clients never say
  ["a refusal from the client", ["40", '44{"message":"x"}']],
  ["a refusal of nothing", ["40", "44"]],
  ["a refusal before connecting", ["44"], "40"],
  ...["7", "8", "9", "a", "[", " ", "-", "+2"].map((type) => [`type ${type}`, ["40", `4${type}["message"]`]]),
  ["an empty packet", ["40", "4"]],
  // kicked, counted
  ["kicked", ["40", '42["kick"]'], "40"],
  ["kicked with the transport", ["40", '42["kick",true]'], "40"],
  ["kicked with a namespace beside", ["40", "40/custom,", '42["kick"]'], "40"],
  ["kicked with the transport and a namespace beside", ["40", "40/custom,", '42["kick",true]'], "40"],
  ["kicked and connected again", ["40", '42["kick",0]', "40"]],
  ["counted text", ["40", '42["count","aä😀"]']],
  ["counted list", ["40", '42["count",[1,[2,3],{}]]']],
  ["counted nothing", ["40", '42["count"]']],
  ["counted number", ["40", '42["count",5]']],
  ["two in one POST", ["40", '42["message",1]\x1e42["message",2]'], undefined, "polling"],
  ["one bad of two in one POST", ["40", '42["message",1]\x1e42[]'], undefined, "polling"],
  // binary
  ["binary", ["40", `451-["message",${P0}]`, bin(1, 2, 3)]],
  ["binary of nothing", ["40", `451-["message",${P0}]`, bin()]],
  ["binary twice", ["40", `452-["message",${P0},${P1}]`, bin(1), bin(2)]],
  ["binary in reverse", ["40", `452-["message",${P1},${P0}]`, bin(1), bin(2)]],
  ["one attachment used twice", ["40", `451-["message",${P0},${P0}]`, bin(9)]],
  ["an attachment nobody uses", ["40", '451-["message","x"]', bin(9)]],
  ["binary deep inside", ["40", `451-["message",{"a":[{"b":${P0}}]}]`, bin(7)]],
  ["binary with its keys turned round", ["40", '451-["message",{"num":0,"_placeholder":true}]', bin(7)]],
  ["binary with more keys", ["40", '451-["message",{"_placeholder":true,"x":[1],"num":0}]', bin(7)]],
  ["binary that says it is none", ["40", '451-["message",{"_placeholder":false,"num":9}]', bin(7)]],
  ["binary acknowledged", ["40", `451-789["message-with-ack",${P0}]`, bin(1, 2)]],
  ["binary acknowledged in a namespace", ["40", "40/custom,", `451-/custom,9["message-with-ack",${P0}]`, bin(1)]],
  ["binary counted", ["40", `451-["count",${P0}]`, bin(1, 2, 3, 4)]],
  ["binary of ten", ["40", `4510-["message",${P0}]`, ...Array.from({ length: 10 }, (_, i) => bin(i))]],
  ["binary of eleven", ["40", `4511-["message",${P0}]`]],
  ["binary of none", ["40", '450-["message"]']],
  ["binary without a count", ["40", `45-["message",${P0}]`]],
  ["binary without a dash", ["40", `451["message",${P0}]`]],
  ["binary with a negative count", ["40", `45-1-["message",${P0}]`]],
  ["binary with half a count", ["40", `451.5-["message",${P0}]`]],
  ["binary with a zero before its count", ["40", `4501-["message",${P0}]`, bin(1)]],
  ["binary with letters for a count", ["40", `45x-["message",${P0}]`]],
  ["binary with a number out of range", ["40", `451-["message",${P1}]`, bin(1)]],
  ["binary with a negative number", ["40", '451-["message",{"_placeholder":true,"num":-1}]', bin(1)]],
  ["binary with text for a number", ["40", '451-["message",{"_placeholder":true,"num":"0"}]', bin(1)]],
  ["binary without a number", ["40", '451-["message",{"_placeholder":true}]', bin(1)]],
  ["binary with half a number", ["40", '451-["message",{"_placeholder":true,"num":0.5}]', bin(1)]],
  ["text between", ["40", `451-["message",${P0}]`, '42["message"]']],
  ["another binary event between", ["40", `451-["message",${P0}]`, `451-["message",${P0}]`]],
  ["a pong between", ["40", `451-["message",${P0}]`, "3", bin(5)]],
  ["binary nobody announced", ["40", bin(1)]],
  ["one attachment too many", ["40", `451-["message",${P0}]`, bin(1), bin(2)]],
  ["binary answer nobody waits for", ["40", `461-7[${P0}]`, bin(1)]],
  ["binary event of nothing", ["40", "451-", bin(1)]],
  ["binary event of an object", ["40", `451-${P0}`, bin(1)]],
  ["binary event named by a placeholder", ["40", `451-[${P0}]`, bin(1)]],
  ["binary before connecting", [`451-["message",${P0}]`, bin(1)], "40"],
  ["binary for a namespace not joined", ["40", `451-/custom,["x",${P0}]`, bin(1)]],
];

const asText = (packet) => (typeof packet === "string" ? packet : `b${packet.toString("base64")}`);
const isConnect = (packet) => typeof packet === "string" && packet.startsWith("40");

async function overPolling(port, packets, end) {
  const p = new Polling(port);
  const seen = [];
  await p.open();
  for (const packet of [...packets, end]) {
    seen.push(`posted: ${(await p.post(asText(packet))).status}`);
    if (isConnect(packet)) seen.push(...await p.drain("40", "44"));
    else await sleep(HOLD_MS);
  }
  if (!isConnect(end)) seen.push(...await p.drain("4398765"));
  return seen;
}

async function overWebsocket(port, packets, end) {
  const peer = new Peer(port, "/socket.io/?EIO=4&transport=websocket");
  await peer.until("0");
  for (const packet of [...packets, end]) {
    const before = peer.seen.length;
    peer.send(packet);
    for (let i = 0; isConnect(packet) && i < 40 && peer.seen.length === before; i++) await sleep(HOLD_MS);
    await sleep(HOLD_MS);
  }
  if (!isConnect(end)) await peer.until("4398765");
  await sleep(HOLD_MS);
  peer.end();
  return peer.seen;
}

// Over polling a CONNECT's answer may or may not share a payload with the event behind it.
function* rows() {
  for (const [name, packets, end = END_ACK, only] of ROWS) {
    yield { name: `polling: ${name}`, mode: "probe", run: (port) => overPolling(port, packets, end) };
    if (only !== "polling") yield { name: `websocket: ${name}`, mode: "probe", run: (port) => overWebsocket(port, packets, end) };
  }
}

// Questions of the server: what it asks, what it makes of the answers.
const ASKED = [
  ["asked and answered", [['43', '["a",{"b":1}]']]],
  ["asked and answered twice", [['43', "[1]"], ['43', "[2]"]]],
  ["asked and answered with nothing", [['43', ""]]],
  ["asked and answered with no array", [['43', "{}"]]],
].map(([name, answers]) => ({
  name: `websocket: ${name}`,
  mode: "probe",
  run: async (port) => {
    const peer = new Peer(port, "/socket.io/?EIO=4&transport=websocket");
    await peer.until("0");
    peer.send("40");
    await peer.until("42");
    peer.send('42["ask"]');
    await peer.until('42', 300);
    await sleep(100);
    const id = /^42(\d+)\["asked"/.exec(peer.seen.at(-1))?.[1];
    for (const [type, json] of answers) {
      peer.send(`${type}${id}${json}`);
      await sleep(HOLD_MS);
    }
    peer.send(END_ACK);
    await peer.until("4398765");
    peer.end();
    return peer.seen.map((what) => what.replace(/^42\d+\["asked"/, '42<n>["asked"'));
  },
}));

// An event that wants an answer is passed on as one that wants one: its id is the server's own.
const PASSED_ON = [0, 1].map((i) => ({
  name: `websocket: the answer to a question is passed on${i ? " once" : ""}`,
  mode: "probe",
  run: async (port) => {
    const peer = new Peer(port, "/socket.io/?EIO=4&transport=websocket");
    await peer.until("0");
    peer.send("40");
    await peer.until("42");
    peer.send('4217["message","x"]');
    for (let n = 0; n < 40 && !/message-back/.test(peer.seen.at(-1)); n++) await sleep(HOLD_MS);
    const id = /^42(\d+)\["message-back"/.exec(peer.seen.at(-1))?.[1];
    for (let n = 0; n <= i; n++) peer.send(`43${id}["y",{"z":1}]`);
    await sleep(HOLD_MS);
    peer.send(END_ACK);
    await peer.until("4398765");
    peer.end();
    return peer.seen.map((what) => what.replace(/^42\d+\["message-back"/, '42<n>["message-back"'));
  },
}));

export const packetScenarios = [...rows(), ...ASKED, ...PASSED_ON];
