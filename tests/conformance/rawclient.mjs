// rawclient.mjs -- clients that say exactly what a test wants said: HTTP requests with node:http, raw
// bytes on a TCP connection, websockets with the ws package. Every wait has an end.
import http from "node:http";
import net from "node:net";
import { WebSocket } from "ws";

export const PATIENCE_MS = 8000;

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// One request, on a connection of its own. Answers { status, headers, body } or { error }.
export function request(port, { method = "GET", path, headers = {}, body, chunked = false }) {
  return new Promise((resolve) => {
    const sized = body === undefined || chunked ? {} : { "Content-Length": Buffer.byteLength(body) };
    const r = http.request({ host: "127.0.0.1", port, method, path, agent: false, headers: { ...sized, ...headers } });
    const timer = setTimeout(() => r.destroy(new Error("no answer in time")), PATIENCE_MS);
    const done = (what) => { clearTimeout(timer); resolve(what); };
    r.on("error", (e) => done({ error: e.message === "no answer in time" ? e.message : "cut" }));
    r.on("upgrade", (answer, socket) => { socket.destroy(); done({ status: answer.statusCode, headers: answer.headers, body: "" }); });
    r.on("response", (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", () => done({ error: "cut" }));
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
    });
    r.end(body);
  });
}

// Raw bytes; answers all that comes until the peer closes, or `quietMs` passed without a byte.
export function rawBytes(port, bytes, quietMs = 400) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
    const chunks = [];
    let timer;
    const done = (end) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString("latin1"), end });
    };
    const wait = () => { clearTimeout(timer); timer = setTimeout(done, quietMs, "open"); };
    socket.on("data", (chunk) => { chunks.push(chunk); wait(); });
    socket.on("error", () => done("closed"));
    socket.on("close", () => done("closed"));
    wait();
  });
}

// A polling session. `path` is the server's with both slashes.
export class Polling {
  constructor(port, path = "/socket.io/") {
    this.port = port;
    this.path = path;
    this.sid = "";
  }

  url(extra = "") {
    return `${this.path}?EIO=4&transport=polling${this.sid ? `&sid=${this.sid}` : ""}${extra}`;
  }

  async open(extra = "", headers = {}) {
    const answer = await request(this.port, { path: this.url(extra), headers });
    if (answer.status === 200) this.sid = JSON.parse(answer.body.slice(1)).sid;
    return answer;
  }

  get() {
    return request(this.port, { path: this.url() });
  }

  post(body, headers = { "Content-Type": "text/plain;charset=UTF-8" }) {
    return request(this.port, { method: "POST", path: this.url(), body, headers });
  }

  // Poll until a packet begins with one of `ends`, or the session is refused. Answers all packets, and
  // at the last what refused it.
  async drain(...ends) {
    const seen = [];
    for (let i = 0; i < 20; i++) {
      const answer = await this.get();
      if (answer.status !== 200) return [...seen, `${answer.status ?? answer.error} ${answer.body ?? ""}`];
      const packets = answer.body.split("\x1e");
      seen.push(...packets);
      if (packets.some((packet) => ends.some((end) => packet.startsWith(end)))) return seen;
    }
    return [...seen, "endless"];
  }
}

// A websocket whose messages are kept: text as it is, binary as b:<hex>, the end as close:<code>.
export class Peer {
  constructor(port, path, options = {}) {
    this.seen = [];
    this.waiting = [];
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, ...options });
    this.socket.on("message", (data, isBinary) => this.#hear(isBinary ? `b:${data.toString("hex")}` : data.toString()));
    this.socket.on("close", (code) => this.#hear(`close:${code}`));
    this.socket.on("error", (e) => this.#hear(`error:${e.message}`));
    this.opened = new Promise((resolve) => { this.socket.on("open", resolve); this.socket.on("close", resolve); });
  }

  #hear(what) {
    this.seen.push(what);
    for (const look of [...this.waiting]) look();
  }

  send(...packets) {
    for (const packet of packets) {
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(packet);
    }
    return this;
  }

  // Until something begins with `start`, or the end. False where it did not come in time.
  until(start, ms = PATIENCE_MS) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(false), ms);
      const finish = (came) => {
        clearTimeout(timer);
        this.waiting = this.waiting.filter((look) => look !== check);
        resolve(came);
      };
      const check = () => {
        if (this.seen.some((what) => what.startsWith(start) || what.startsWith("close:"))) finish(true);
      };
      this.waiting.push(check);
      check();
    });
  }

  end() {
    this.socket.terminate();
  }
}
