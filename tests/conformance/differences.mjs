// differences.mjs -- where our answer is not the reference's, on purpose: why, and what it is.
//
// `ours` is how our transcript ends. A row that turns out to be the same fails the run, so that this
// table stays true; `often` marks the rows where the reference's own answer is a matter of luck.
const GONE = '400 {"code":1,"message":"Session ID unknown"}';

const ROWS = [
  {
    names: ["polling: an event with white space", "websocket: an event with white space"],
    reason: "white space between id and JSON is JSON's own; the reference takes a blank for the id 0",
    ours: ['42["message-back"]', '40/custom,{"sid":"<id>"}', '42/custom,["auth",{}]'],
  },
  {
    names: ["polling: an acknowledgement with an id that loses digits", "websocket: an acknowledgement with an id that loses digits"],
    reason: "an id is answered with the digits it came with; the reference rounds past 2^53",
    ours: ["439007199254740993[1]", '4398765["end"]'],
  },
  {
    names: ["polling: an acknowledgement with an id past all integers"],
    reason: "an id of more than 18 digits is no id of any client: closed",
    ours: ["6", "1", GONE],
  },
  {
    names: ["websocket: an acknowledgement with an id past all integers"],
    reason: "an id of more than 18 digits is no id of any client: closed",
    ours: ["close:1005"],
  },
  {
    names: ["polling: binary with half a number"],
    reason: "no attachment has the number 0.5; the reference hands undefined to the application",
    ours: ["6", "1", GONE],
  },
  {
    names: ["websocket: binary with half a number"],
    reason: "no attachment has the number 0.5; the reference hands undefined to the application",
    ours: ["close:1005"],
  },
  {
    names: ["polling: one bad of two in one POST"],
    reason: "what came before the bad packet is still answered; the reference handles events a tick later",
    ours: ['42["message-back",1]', "6", "1", GONE],
  },
  {
    names: ["http session: POST of broken base64"],
    reason: "characters outside base64's alphabet make a bad packet; Node decodes around them",
    ours: ["ok", GONE],
  },
  {
    names: ["websocket engine: base64 as text"],
    reason: "`b` is for polling only (Engine.IO protocol 4); the reference decodes it anywhere",
    ours: ["close:1005"],
  },
  {
    names: ["websocket handshake of protocol 3"],
    reason: "refused before the 101; the reference answers 101 and then writes HTTP into the websocket",
    ours: ["content-type: text/html", "Unsupported protocol version"],
  },
  {
    names: ["websocket handshake of polling"],
    reason: "refused before the 101; the reference answers 101 and then closes",
    ours: ["content-type: text/html", "Bad request"],
  },
  {
    names: ["time: no poll at all, gone exactly after interval and timeout"],
    reason: "the reference's timers may be a millisecond late; a public test asks at that very moment",
    ours: [GONE],
    often: true,
  },
];

function endsLike(transcript, ours) {
  const end = transcript.slice(-ours.length).map((line) => line.replace(/<id\d+>/g, "<id>"));
  return ours.every((line, i) => end[i] === line || (line === "ok" && end[i]?.endsWith("| ok")));
}

// The row for a scenario, or undefined.
export function deliberate(name) {
  const row = ROWS.find((one) => one.names.includes(name));
  return row && { ...row, matches: (transcript) => endsLike(transcript, row.ours) };
}

export const differenceNames = ROWS.flatMap((row) => row.names);
