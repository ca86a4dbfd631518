// bare.mjs - a Socket.IO client of forty lines, for tests that need thousands of them in one
// process: a websocket that pongs, joins, and calls back with what it hears.
import WebSocket from "ws";

export class Bare {
  /** Connected and let in; `hear(name, payload, text)` is called for every event. */
  static connect(base, token, hear = () => {}) {
    const bare = new Bare();
    bare.acks = new Map();
    bare.bytes = 0;
    bare.ws = new WebSocket(`${base.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
    return new Promise((done, fail) => {
      bare.ws.on("error", fail);
      bare.ws.on("close", () => fail(new Error("closed")));
      bare.ws.on("message", (data) => {
        const text = data.toString();
        bare.bytes += text.length;
        if (text[0] === "0") bare.ws.send(`40${JSON.stringify({ token })}`);
        else if (text === "2") bare.ws.send("3");
        else if (text.startsWith("40")) done(bare);
        else if (text.startsWith("44")) fail(new Error(text));
        else if (text.startsWith("43")) bare.answered(text);
        else if (text.startsWith("42")) {
          const [name, payload] = JSON.parse(text.slice(2));
          hear(name, payload, text);
        }
      });
    });
  }

  answered(text) {
    const [, id, json] = /^43(\d+)(.*)$/s.exec(text);
    this.acks.get(id)?.(JSON.parse(json)[0]);
    this.acks.delete(id);
  }

  /** Emit, and wait for the answer. */
  ask(name, payload) {
    const id = String(this.last = (this.last ?? 0) + 1);
    this.ws.send(`42${id}${JSON.stringify([name, payload])}`);
    return new Promise((done) => this.acks.set(id, done));
  }

  cut() { this.ws.terminate(); }
}

/** So many at a time: `make(i)` for each of `count`. */
export async function inTurns(count, make, { width = 25 } = {}) {
  const all = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) {
      const i = next++;
      all[i] = await make(i);
    }
  }));
  return all;
}
