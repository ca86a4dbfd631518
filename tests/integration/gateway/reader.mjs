// reader.mjs - a client of Server-Sent Events: a request, a parser by the rules of the
// specification (WHATWG HTML, 9.2.6), and, where asked, coming back by Last-Event-ID.
import http from "node:http";
import { sleep } from "../harness.mjs";

/** One answer: {status, headers, events, comments, lastId, ended, close()}; resolves with the head. */
export function openStream(base, target, { token, lastId, headers = {}, method = "GET", agent } = {}) {
  const stream = { events: [], comments: 0, lastId: lastId ?? "", retry: null, body: "", isOver: false };
  const url = new URL(base + target);
  return new Promise((done, fail) => {
    const request = http.request(url, {
      method, agent, headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(lastId && { "Last-Event-ID": lastId }), ...headers },
    }, (answer) => {
      Object.assign(stream, { status: answer.statusCode, headers: answer.headers, answer, request });
      let rest = "", event = { data: [] };
      answer.setEncoding("utf8");
      answer.on("data", (text) => {
        stream.body += stream.status === 200 ? "" : text;
        rest += text;
        for (let end; (end = rest.indexOf("\n")) >= 0; rest = rest.slice(end + 1)) {
          const line = rest.slice(0, end);
          if (line === "") {
            if (event.id !== undefined) stream.lastId = event.id;
            if (event.data.length) {
              const e = { name: event.name ?? "message", id: event.id, payload: JSON.parse(event.data.join("\n")) };
              stream.events.push(e);
              stream.onEvent?.(e);
            }
            event = { data: [] };
          } else if (line[0] === ":") stream.comments++;
          else {
            const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
            if (field === "event") event.name = value;
            else if (field === "id") event.id = value;
            else if (field === "data") event.data.push(value);
            else if (field === "retry") stream.retry = Number(value);
          }
        }
      });
      stream.ended = new Promise((over) => {
        answer.on("end", () => { stream.isOver = true; over("end"); });
        answer.on("error", (error) => { stream.isOver = true; over(error.code); });
      });
      done(stream);
    });
    stream.close = () => request.destroy();
    request.on("error", fail);
    request.end();
  });
}

/** One that is always there: it comes back to any of `bases()` from where it was. */
export class Follower {
  constructor(bases, target, token) {
    Object.assign(this, { bases, target, token, events: [], lastId: undefined, comings: 0, statuses: [] });
    this.life = this.live();
  }
  async live() {
    while (!this.isClosed) {
      const bases = this.bases();
      try {
        const stream = await openStream(bases[Math.floor(Math.random() * bases.length)], this.target, { token: this.token, lastId: this.lastId });
        this.statuses.push(stream.status);
        this.stream = stream;
        this.comings++;
        stream.onEvent = (e) => this.events.push(e);
        this.events.push(...stream.events);
        await stream.ended;
        this.lastId = stream.lastId || this.lastId;
      } catch { /* nobody there: again */ }
      await sleep(20 + Math.random() * 50);
    }
  }
  cut() { this.stream?.close(); }
  async close() {
    this.isClosed = true;
    this.cut();
    await this.life;
  }
  of(name) { return this.events.filter((e) => e.name === name); }
}
