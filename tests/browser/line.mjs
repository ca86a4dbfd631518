// line.mjs - the network between a browser and a server, as bad as one likes: a TCP proxy that
// delays, loses (a lost segment comes late, and all behind it with it: that is what a loss is
// to who reads a stream), refuses websockets, or is cut.
import net from "node:net";

const RETRANSMIT_MS = 250;

/** One direction: what comes in goes out later, in order, and the end after all of it. */
function carry(line, from, to) {
  let due = 0, tail = Promise.resolve();
  const later = (at, act) => {
    tail = tail.then(() => new Promise((done) => setTimeout(done, Math.max(0, at - Date.now())))).then(act);
  };
  from.on("data", (bytes) => {
    const { delayMs, lossPercent } = line.settings;
    const isLost = Math.random() * 100 < lossPercent;
    if (isLost) line.lost++;
    due = Math.max(due, Date.now() + delayMs * (0.5 + Math.random()) + (isLost ? RETRANSMIT_MS : 0));
    later(due, () => { if (!to.destroyed) to.write(bytes); });
  });
  from.on("end", () => later(due, () => to.end()));
  from.on("error", () => to.destroy());
  from.on("close", () => later(due + 100, () => to.destroy()));
}

export class Line {
  /** In front of the server of `url`; `line.url` is where browsers go. */
  static async open(url, settings = {}) {
    const line = new Line();
    line.settings = { delayMs: 0, lossPercent: 0, refuseWebsocket: false, ...settings };
    Object.assign(line, { lost: 0, refused: 0, target: new URL(url), sockets: new Set() });
    line.server = net.createServer((socket) => line.#accept(socket));
    await new Promise((done) => line.server.listen(0, "127.0.0.1", done));
    line.url = `http://127.0.0.1:${line.server.address().port}`;
    return line;
  }

  #accept(socket) {
    if (this.isCut) return socket.destroy();
    const server = net.connect(Number(this.target.port), this.target.hostname);
    for (const s of [socket, server]) {
      s.setNoDelay(true);
      this.sockets.add(s);
      s.on("close", () => this.sockets.delete(s));
    }
    // A websocket has a connection of its own, and its request comes in one piece.
    socket.once("data", (head) => {
      if (this.settings.refuseWebsocket && /^GET [^\r]*transport=websocket/.test(head.toString("latin1"))) {
        this.refused++;
        socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        server.destroy();
        return;
      }
      carry(this, socket, server);
      carry(this, server, socket);
      socket.emit("data", head);
    });
    socket.on("error", () => {});
    server.on("error", () => socket.destroy());
  }

  /** End all connections and take no more, until `mend`. */
  cut() {
    this.isCut = true;
    for (const s of this.sockets) s.destroy();
  }
  mend() { this.isCut = false; }

  async close() {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }
}
