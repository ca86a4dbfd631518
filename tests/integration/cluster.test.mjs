// Several gateways and no sticky sessions: any request of a session may come to any of them.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Stack, ask, freePort, sleep, until } from "./harness.mjs";

const RS = "\x1e";
const SID_UNKNOWN = '{"code":1,"message":"Session ID unknown"}';
let stack, front;

before(async () => {
  stack = await Stack.start({ gateways: 3, gatewayEnv: { LOG_LEVEL: "debug" } });
  front = await stack.startBalancer();
});
after(() => stack.stop());

// --- by hand ---

const target = (sid, transport = "polling") => `/socket.io/?EIO=4&transport=${transport}${sid ? `&sid=${sid}` : ""}`;
const get = async (base, sid, options) => {
  const answer = await fetch(base + target(sid), options);
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
};
const post = (base, sid, body) => get(base, sid, { method: "POST", body });

/** A polling session whose every request goes to the next of `bases`. */
class Poller {
  constructor(bases) { this.bases = bases; this.turn = 0; this.packets = []; }
  next() { return this.bases[this.turn++ % this.bases.length]; }
  async open(token) {
    this.owner = this.next();
    const { body } = await get(this.owner);
    this.sid = JSON.parse(body.slice(1)).sid;
    assert.equal((await post(this.next(), this.sid, `40${JSON.stringify({ token })}`)).body, "ok");
    await this.until((p) => p.startsWith('40{"sid"'));
    return this;
  }
  async poll() {
    const { status, body } = await get(this.next(), this.sid);
    assert.equal(status, 200, body);
    this.packets.push(...body.split(RS));
    if (body.split(RS).includes("2")) await post(this.next(), this.sid, "3");
  }
  async until(wanted) {
    for (let i = 0; i < 100; i++) {
      const found = this.packets.find(wanted);
      if (found) return found;
      await this.poll();
    }
    throw new Error("never came");
  }
}

const replicas = async () => {
  const keys = (await stack.redisCall("KEYS", "tasks:replica:*")).split("\n").filter(Boolean);
  return Promise.all(keys.map(async (key) => ({ id: key.split(":")[2], url: await stack.redisCall("HGET", key, "url") })));
};
const urlOf = async (sid) => (await replicas()).find((r) => sid.startsWith(`${r.id}.`)).url;

/** The header that a gateway would make. */
function hop({ recipient, method = "GET", to, body = "", forwarded = "", ms = Date.now(), nonce = randomBytes(8).toString("hex"), secret = stack.clusterSecret }) {
  const key = createHmac("sha256", secret).update("taskwire hop 1").digest();
  const hash = createHash("sha256").update(body).digest("hex");
  const text = [recipient, method, to, forwarded, ms, nonce, hash].map((line) => `${line}\n`).join("");
  return `${ms} ${nonce} ${hash} ${createHmac("sha256", key).update(text).digest("hex")}`;
}

// --- stock clients ---

test("every gateway has its heartbeat, with a life of its own", async () => {
  const all = await replicas();
  assert.equal(all.length, 3);
  for (const { id, url } of all) {
    assert.match(id, /^[A-Za-z0-9_-]{12}$/);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const ttl = Number(await stack.redisCall("PTTL", `tasks:replica:${id}`));
    assert.ok(ttl > 5000 && ttl <= 10_000, `${ttl}`);
    const fields = (await stack.redisCall("HKEYS", `tasks:replica:${id}`)).split("\n").sort();
    assert.deepEqual(fields, ["at", "canaryMs", "connections", "errors", "messagesPerSecond", "orgs", "positions", "started", "state", "url", "users", "version"]);
  }
});

for (const [how, transports] of [["polling only", ["polling"]], ["with an upgrade", ["polling", "websocket"]], ["websocket only", ["websocket"]]]) {
  test(`a stock client joins a task in plain round robin and hears everything: ${how}`, async () => {
    const taskId = await stack.createTask();
    const client = await stack.connect({ base: front, transports });
    assert.deepEqual(await ask(client, "task:join", { taskId }), { ok: true });
    for (let i = 0; i < 30; i++) await stack.publish("note", taskId, { text: `note ${i}` });
    const added = () => client.log.filter((e) => e.name === "task:event_added").map((e) => e.payload);
    await until("all notes", () => added().length >= 30);
    assert.deepEqual(added().map((p) => p.seq), Array.from({ length: 30 }, (_, i) => i + 2));
    if (transports.length > 1) await until("the upgrade", () => client.io.engine.transport.name === "websocket");
    assert.equal(client.io.engine.transport.name, transports.at(-1));
    assert.equal(client.log.filter((e) => e.name === "error").length, 0);
    client.disconnect();
  });
}

test("a large message goes through the hop whole, and one that is too large is refused as at the owner", async () => {
  const poller = await new Poller(stack.gateways.map((g) => g.url)).open(stack.token());
  const event = (bytes) => `42["nothing",${JSON.stringify("ä".repeat(bytes / 2))}]`;
  assert.deepEqual(await post(stack.gateways[1].url, poller.sid, event(60_000)).then((a) => [a.status, a.body]), [200, "ok"]);
  assert.equal((await post(stack.gateways[1].url, poller.sid, event(70_000))).status, 413);
  assert.equal((await post(stack.gateways[1].url, poller.sid, "41")).status, 200);
});

// --- answers ---

test("what comes back over a hop is what the owner says, byte for byte", async () => {
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const [owner, other] = stack.gateways.map((g) => g.url);
  const raw = (base, method, body) => new Promise((done, fail) => {
    const r = http.request(base + target(poller.sid), { method, agent: false, headers: { ...(body && { "Content-Length": Buffer.byteLength(body) }) } }, (a) => {
      let text = "";
      a.setEncoding("utf8").on("data", (d) => { text += d; }).on("end", () => {
        const headers = Object.fromEntries(Object.entries(a.headers).filter(([n]) => n !== "date"));
        done({ status: a.statusCode, headers, text });
      });
    });
    r.on("error", fail).end(body);
  });
  for (const [method, body] of [["POST", "3"], ["PUT", "x"], ["DELETE"]]) {
    assert.deepEqual(await raw(other, method, body), await raw(owner, method, body), method);
  }
});

test("a sid that nobody owns, or nobody could have made, is answered by the protocol", async () => {
  const { url } = stack.gateways[0];
  for (const sid of ["AAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAA.x", "a*b.AAAAAAAAAAAAAAAAAAAA", `${"A".repeat(44)}.AAAAAAAAAAAAAAAAAAAA`, "x.y.z", "nothing"]) {
    const { status, headers, body } = await get(url, encodeURIComponent(sid));
    assert.equal(status, 400);
    assert.equal(body, SID_UNKNOWN);
    assert.equal(headers.get("content-type"), "application/json");
  }
});

test("a client that goes away takes its poll at the owner with it", async () => {
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const gone = new AbortController();
  const pending = fetch(stack.gateways[1].url + target(poller.sid), { signal: gone.signal }).catch(() => {});
  await sleep(200);
  gone.abort();
  await pending;
  await until("the session is gone", async () => (await get(stack.gateways[2].url, poller.sid)).body === SID_UNKNOWN);
});

test("a second poll by another gateway ends both and the session, as without a hop", async () => {
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const first = get(stack.gateways[1].url, poller.sid);
  await sleep(200);
  const second = await get(stack.gateways[2].url, poller.sid);
  assert.deepEqual([second.status, second.body], [400, ""]);
  assert.deepEqual([(await first).status, (await first).body], [200, "1"]);
  assert.equal((await get(stack.gateways[1].url, poller.sid)).body, SID_UNKNOWN);
});

// --- the internal listener ---

/** A request straight to an internal listener. */
async function knock(url, to, { method = "GET", body, header } = {}) {
  const answer = await fetch(url + to, { method, body, headers: { ...(header && { "Taskwire-Hop": header }) }, signal: AbortSignal.timeout(5000) });
  return [answer.status, await answer.text()];
}

describe("the internal listener", () => {
  let poller, url, recipient, to;
  before(async () => {
    poller = await new Poller([stack.gateways[0].url]).open(stack.token());
    url = await urlOf(poller.sid);
    recipient = poller.sid.split(".")[0];
    to = target(poller.sid);
  });
  const signed = (more) => hop({ recipient, to, method: "POST", body: "3", ...more });
  const send = (header, more) => knock(url, to, { method: "POST", body: "3", header, ...more });

  test("lets a gateway in", async () => {
    assert.deepEqual(await send(signed()), [200, "ok"]);
  });

  test("refuses what is not signed, or not in this form", async () => {
    for (const header of [undefined, "x", "1 2 3 4", `${signed()} more`, signed().replace(/ .{16} /, " 0 "), signed().toUpperCase(), "9".repeat(400)]) {
      assert.deepEqual(await send(header), [403, "unsigned"], header);
    }
  });

  test("refuses what is signed with another secret, for another gateway, method, target, sender or body", async () => {
    for (const more of [{ secret: "x".repeat(32) }, { recipient: "AAAAAAAAAAAA" }, { method: "GET" }, { to: `${to}&t=1` }, { forwarded: "192.0.2.1" }]) {
      assert.deepEqual(await send(signed(more)), [403, "not signed for this gateway"]);
    }
    assert.deepEqual(await send(signed({ body: "4" })), [403, "another body than was signed"]);
    assert.deepEqual(await send(signed(), { body: '42["nothing"]' }), [403, "another body than was signed"]);
  });

  test("refuses what is half a minute old, or from the future", async () => {
    for (const off of [-31_000, 31_000, -86_400_000]) {
      assert.deepEqual(await send(signed({ ms: Date.now() + off })), [403, "expired: do the clocks agree?"]);
    }
    for (const off of [-28_000, 28_000]) assert.deepEqual(await send(signed({ ms: Date.now() + off })), [200, "ok"]);
  });

  test("refuses what it has heard before", async () => {
    const header = signed();
    assert.deepEqual(await send(header), [200, "ok"]);
    assert.deepEqual(await send(header), [403, "repeated"]);
    assert.deepEqual(await send(signed({ nonce: "0".repeat(16) })), [403, "repeated"]);
  });

  test("opens no session and serves nothing else", async () => {
    for (const other of ["/socket.io/?EIO=4&transport=polling", "/api/health", "/", "/api/tasks"]) {
      assert.deepEqual(await knock(url, other, { header: hop({ recipient, to: other }) }), [400, SID_UNKNOWN], other);
      assert.deepEqual(await knock(url, other), [403, "unsigned"]);
    }
  });

  test("passes nothing on, whoever is said to own it", async () => {
    const foreign = (await new Poller([stack.gateways[1].url]).open(stack.token())).sid;
    assert.deepEqual(await knock(url, target(foreign), { header: hop({ recipient, to: target(foreign) }) }), [400, SID_UNKNOWN]);
  });
});

test("two gateways that each believe the other owns a session do not pass it to and fro", async () => {
  const [a, b] = stack.gateways.map((g) => g.url);
  const urls = [];
  for (const base of [a, b]) urls.push(await urlOf((await new Poller([base]).open(stack.token())).sid));
  await stack.redisCall("HSET", "tasks:replica:wrongAtoB000", "url", urls[1]);
  await stack.redisCall("HSET", "tasks:replica:wrongBtoA000", "url", urls[0]);
  for (const [base, id] of [[a, "wrongAtoB000"], [b, "wrongBtoA000"], [a, "wrongBtoA000"], [b, "wrongAtoB000"]]) {
    const { status, body } = await get(base, `${id}.AAAAAAAAAAAAAAAAAAAA`);
    assert.deepEqual([status, body], [400, SID_UNKNOWN]);
  }
  await stack.redisCall("DEL", "tasks:replica:wrongAtoB000", "tasks:replica:wrongBtoA000");
});

// --- tunnels ---

/** A websocket handshake by hand; `more` follows it in the same write. */
async function handshake(base, sid, more = "") {
  const { hostname, port } = new URL(base);
  const socket = net.connect(Number(port), hostname);
  let text = "";
  socket.setEncoding("latin1").on("data", (d) => { text += d; }).on("error", () => {});
  socket.write(Buffer.from(`GET ${target(sid, "websocket")} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n${more}`, "latin1"));
  return { socket, text: () => text };
}

const frame = (payload) => {
  const data = Buffer.from(payload), mask = randomBytes(4);
  return Buffer.concat([Buffer.from([0x81, 0x80 | data.length]), mask, data.map((byte, i) => byte ^ mask[i % 4])]).toString("latin1");
};

test("what follows the handshake at once goes through the tunnel too", async () => {
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const { socket, text } = await handshake(stack.gateways[1].url, poller.sid, frame("2probe"));
  await until("the probe is answered", () => text().includes("3probe"));
  assert.match(text(), /^HTTP\/1\.1 101 /);
  assert.equal((await get(stack.gateways[2].url, poller.sid)).body, "6");
  socket.write(Buffer.from(frame("5"), "latin1"));
  await until("polling is over", async () => (await get(stack.gateways[2].url, poller.sid)).body.includes('"code":3'));
  const ended = once(socket, "close");
  socket.destroy();
  await ended;
  await until("the session ends with its tunnel", async () => (await get(stack.gateways[2].url, poller.sid)).body === SID_UNKNOWN);
});

test("a handshake that the owner refuses lets nothing behind it through", async () => {
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const { socket, text } = await handshake(stack.gateways[1].url, `${poller.sid.slice(0, -4)}AAAA`, "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "close");
  assert.match(text(), /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.equal(text().match(/HTTP\/1\.1/g).length, 1);
  assert.match(text(), /Session ID unknown$/);
});

test("a tunnel carries more than its ends take at once, whole and in order", async () => {
  const taskId = await stack.createTask();
  const through = await stack.connect({ base: front, transports: ["polling", "websocket"], rememberUpgrade: false });
  await until("the upgrade", () => through.io.engine.transport.name === "websocket");
  await ask(through, "task:join", { taskId });
  for (let i = 0; i < 40; i++) await stack.publish("note", taskId, { text: `${i} ${"x".repeat(4000)}` });
  const seqs = () => through.log.filter((e) => e.name === "task:event_added").map((e) => e.payload.seq);
  await until("all", () => seqs().length >= 40);
  assert.deepEqual(seqs(), Array.from({ length: 40 }, (_, i) => i + 2));
});

// --- the end of an owner ---

test("a killed owner: code 1 at once, and the client is back and hears on", async () => {
  const taskId = await stack.createTask();
  const victim = await stack.startGateway();
  const others = stack.gateways.slice(0, 3).map((g) => g.url);
  const poller = await new Poller([victim.url]).open(stack.token());
  poller.bases = others;
  const pending = get(others[0], poller.sid);
  await sleep(200);
  await victim.kill9();
  assert.deepEqual([(await pending).status, (await pending).body], [400, SID_UNKNOWN]);
  for (const base of others) assert.deepEqual(await post(base, poller.sid, "3").then((a) => [a.status, a.body]), [400, SID_UNKNOWN]);
  stack.gateways.pop();

  // A stock client that began at the one that dies: whichever comes next takes it.
  const dying = await stack.startGateway();
  const proxyPort = await freePort();
  let to = [dying.url];
  const agent = new http.Agent({ keepAlive: false });
  const proxy = http.createServer((request, response) => {
    const base = to[0];
    to = [...to.slice(1), base];
    const r = http.request(base + request.url, { method: request.method, headers: request.headers, agent }, (a) => { response.writeHead(a.statusCode, a.headers); a.pipe(response); });
    r.on("error", () => response.destroy());
    response.on("close", () => r.destroy());
    request.pipe(r);
  }).listen(proxyPort, "127.0.0.1");
  const client = await stack.connect({ base: `http://127.0.0.1:${proxyPort}`, transports: ["polling"] });
  await ask(client, "task:join", { taskId });
  to = others;
  const reasons = [];
  client.on("disconnect", (reason, details) => reasons.push([reason, details?.description]));
  const back = once(client, "connect");
  await sleep(200);
  await dying.kill9();
  stack.gateways.pop();
  await back;
  assert.equal(reasons[0][0], "transport error");
  if (!client.recovered) assert.deepEqual(await ask(client, "task:join", { taskId }), { ok: true });
  await stack.publish("note", taskId, { text: "after" });
  await until("the note", () => client.log.some((e) => e.name === "task:event_added" && e.payload.event.payload.text === "after"));
  client.disconnect();
  proxy.close();
  agent.destroy();
});

test("a gateway that stops takes its heartbeat back", async () => {
  const known = (await replicas()).length;
  const leaving = await stack.startGateway();
  const { sid } = await new Poller([leaving.url]).open(stack.token());
  const id = sid.split(".")[0];
  assert.equal(await stack.redisCall("EXISTS", `tasks:replica:${id}`), "1");
  assert.equal((await leaving.stop()).code, 0);
  stack.gateways.pop();
  assert.equal(await stack.redisCall("EXISTS", `tasks:replica:${id}`), "0");
  await until("code 1", async () => (await get(stack.gateways[0].url, sid)).body === SID_UNKNOWN);
  assert.ok((await replicas()).length <= known);
});

test("a gateway that stops while websockets go through it lets them come back elsewhere", async () => {
  const through = await stack.startGateway();
  const poller = await new Poller([stack.gateways[0].url]).open(stack.token());
  const { socket, text } = await handshake(through.url, poller.sid);
  await until("101", () => text().startsWith("HTTP/1.1 101 "));
  const closed = once(socket, "close");
  assert.equal((await through.stop()).code, 0);
  stack.gateways.pop();
  await closed;
  assert.equal((await post(stack.gateways[1].url, poller.sid, "3")).body, "ok");
});

test("a gateway that stops answers first what it was asked", async () => {
  const leaving = await stack.startGateway();
  stack.taskd.signal("SIGSTOP");
  const created = stack.call("POST", "/api/tasks", { body: { description: "Paint it" }, base: leaving.url });
  await sleep(200);
  const ended = leaving.stop();
  await sleep(400);
  stack.taskd.signal("SIGCONT");
  assert.equal((await created).status, 202);
  assert.equal((await ended).code, 0);
  stack.gateways.pop();
});

// --- Redis away ---

test("while Redis is away the owners known before are still found, others are asked to come again", async () => {
  const poller = await new Poller(stack.gateways.map((g) => g.url)).open(stack.token());
  for (const g of stack.gateways) assert.equal((await post(g.url, poller.sid, "3")).body, "ok");
  await stack.redis.kill9();
  await sleep(3000);                           // longer than an answer is remembered
  for (const g of stack.gateways) assert.equal((await post(g.url, poller.sid, "3")).body, "ok");
  const stranger = await get(stack.gateways[0].url, "AAAAAAAAAAAB.AAAAAAAAAAAAAAAAAAAA");
  assert.deepEqual([stranger.status, JSON.parse(stranger.body).message], [503, "Try again"]);

  // It comes back without what it knew: nobody is told that a living session is not there.
  await rm(path.join(stack.folder, "appendonlydir"), { recursive: true });
  await stack.startRedis();
  for (let i = 0; i < 40; i++) {
    for (const g of stack.gateways) assert.equal((await post(g.url, poller.sid, "3")).body, "ok");
    await sleep(50);
  }
  await until("all have announced themselves again", async () => (await replicas()).length >= 3);
});
