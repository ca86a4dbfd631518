// http.test.mjs - taskd's REST below JSON: methods, lengths, codings, bodies that are none.
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { gunzipSync } from "node:zlib";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Stack } from "../harness.mjs";

const WEBHOOK_SECRET = "a secret that only GitHub and we know";
const MIB = 1 << 20;
let stack, base, bearer;
before(async () => {
  stack = await Stack.start({ gateways: 0, taskdEnv: { GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET } });
  base = stack.taskdUrl;
  bearer = { Authorization: `Bearer ${stack.token()}` };
});
after(() => stack.stop());

/** A request as it is, nothing added: {status, headers, bytes, body}. */
function ask(method, path, { headers = {}, body } = {}) {
  return new Promise((done, fail) => {
    const r = http.request(base + path, { method, headers: { ...bearer, ...headers }, agent: false }, (answer) => {
      const parts = [];
      answer.on("data", (d) => parts.push(d)).on("end", () => {
        const bytes = Buffer.concat(parts);
        const text = answer.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
        let json;
        try { json = JSON.parse(text); } catch { json = text.toString(); }
        done({ status: answer.statusCode, headers: answer.headers, bytes, body: json });
      });
    });
    r.on("error", fail);
    r.end(body);
  });
}

const send = (method, path, body, headers = {}) => ask(method, path, { body, headers: { "Content-Type": "application/json", ...headers } });
const post = (body, headers) => send("POST", "/api/tasks", typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body), headers);
const code = ({ status, body }) => [status, body.code];

/** Bytes there, bytes back until `count` answers came, or the end. */
function raw(bytes, count = Infinity) {
  return new Promise((done, fail) => {
    let got = "";
    const socket = net.connect(stack.taskdPort, "127.0.0.1", () => socket.write(bytes));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no end of it: ${got}`)));
    socket.on("data", (d) => {
      got += d;
      if (got.split("HTTP/1.1 ").length > count && got.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", fail).on("close", () => done(got));
  });
}

test("each path says what it takes, and takes nothing else", async () => {
  const id = "a".repeat(24);
  const allowed = {
    "/api/tasks": "POST, GET, HEAD, OPTIONS", [`/api/tasks/${id}`]: "GET, HEAD, PATCH, OPTIONS",
    [`/api/tasks/${id}/clarify`]: "POST, OPTIONS", [`/api/tasks/${id}/events`]: "GET, HEAD, OPTIONS",
    "/api/me": "GET, HEAD, OPTIONS", "/api/health": "GET, HEAD, OPTIONS", "/api/webhooks/github": "POST, OPTIONS",
  };
  for (const [path, allow] of Object.entries(allowed)) {
    const question = await ask("OPTIONS", path, { headers: { Authorization: "" } });
    assert.deepEqual([question.status, question.headers.allow, question.bytes.length], [204, allow, 0], path);
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]) {
      if (allow.includes(method)) continue;
      const answer = await ask(method, path);
      assert.deepEqual(code(answer), [405, "method"], `${method} ${path}`);
      assert.equal(answer.headers.allow, allow);
    }
  }
  assert.equal((await ask("OPTIONS", "/api/nothing")).status, 404);
  assert.match(await raw("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 204 /);
  for (const path of ["/api/tasks/", "//api/tasks", "/api/Tasks", `/api/tasks/${id}/`, "/api", "/"]) {
    assert.deepEqual(code(await ask("GET", path)), [404, "not_found"], path);
  }
});

test("HEAD says what GET would, without saying it", async () => {
  const { body: { taskId } } = await post({ description: "Look at my head" });
  for (const path of ["/api/tasks", `/api/tasks/${taskId}`, `/api/tasks/${taskId}/events`, "/api/me", "/api/health/live", "/api/tasks?limit=0", "/api/nothing"]) {
    const get = await ask("GET", path), head = await ask("HEAD", path);
    assert.equal(head.bytes.length, 0);
    assert.equal(head.status, get.status);
    for (const name of ["content-type", "content-length", "etag", "vary", "cache-control"]) assert.equal(head.headers[name], get.headers[name], `${name} of ${path}`);
  }
});

test("a method in a header or a query is no method", async () => {
  const { body: { taskId } } = await post({ description: "Stay" });
  for (const name of ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]) {
    const made = await post({ description: "Still a POST" }, { [name]: "DELETE" });
    assert.equal(made.status, 202);
    assert.equal((await ask("GET", `/api/tasks/${taskId}?_method=PATCH`, { headers: { [name]: "PATCH" } })).body.seq, 1);
  }
});

test("a body has a length, and not too much of it", async () => {
  const head = `POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer.Authorization}\r\nContent-Type: application/json\r\n`;
  assert.match(await raw(`${head}Connection: close\r\n\r\n`), /^HTTP\/1\.1 411 [^]*"code":"length_required"/);
  const chunked = await raw(`${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1a\r\n{"description":"In chunks"\r\n1\r\n}\r\n0\r\n\r\n`);
  assert.match(chunked, /^HTTP\/1\.1 202 /);

  const padded = (size) => { const b = Buffer.alloc(size, " "); b.write('{"description":"Long"}'); return b; };
  assert.equal((await post(padded(MIB))).status, 202);
  assert.deepEqual(code(await post(padded(MIB + 1))), [413, "too_large"]);
  const streamed = await raw(Buffer.concat([
    Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${(MIB + 1).toString(16)}\r\n`), padded(MIB + 1),
    Buffer.from("\r\n0\r\n\r\nGET /api/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
  ]));
  assert.match(streamed, /^HTTP\/1\.1 413 [^]*application\/problem\+json[^]*"code":"too_large"[^]*HTTP\/1\.1 200 /, "and its connection goes on");
  assert.match(await raw(`${head}Expect: 100-continue\r\nContent-Length: ${MIB + 1}\r\n\r\n`), /^HTTP\/1\.1 413 [^]*"code":"too_large"/, "before it was sent");
});

test("a webhook may be larger, and is signed", async () => {
  const hook = (size, headers) => send("POST", "/api/webhooks/github", Buffer.alloc(size, " "), { Authorization: "", ...headers });
  assert.deepEqual(code(await hook(4 * MIB)), [401, "bad_signature"]);
  assert.deepEqual(code(await hook(4 * MIB + 1)), [413, "too_large"]);
  const body = '{"zen":"Keep it logically awesome."}';
  const signature = `sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`;
  const ping = { Authorization: "", "X-GitHub-Event": "ping", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": signature };
  assert.equal((await send("POST", "/api/webhooks/github", body, ping)).status, 200);
  assert.deepEqual(code(await send("POST", "/api/webhooks/github", `${body} `, ping)), [401, "bad_signature"]);
  assert.deepEqual(code(await send("POST", "/api/webhooks/github", body, { ...ping, "Content-Type": "application/x-www-form-urlencoded" })), [415, "media_type"]);
});

test("JSON in UTF-8 is taken, and nothing else", async () => {
  const body = JSON.stringify({ description: "Ä" });
  for (const type of ["application/json", "APPLICATION/JSON", "application/json;charset=utf-8", 'application/json ; Charset="UTF-8"', "application/json; profile=x"]) {
    assert.equal((await post(body, { "Content-Type": type })).status, 202, type);
  }
  for (const type of ["text/plain", "", "application/json-patch+json", "application/jsonx", "application/json;charset=iso-8859-1", "multipart/form-data", "*/*"]) {
    assert.deepEqual(code(await post(body, { "Content-Type": type })), [415, "media_type"], type);
  }
  assert.deepEqual(code(await post(body, { "Content-Encoding": "gzip" })), [415, "media_type"]);
});

test("a body that is no JSON object is malformed", async () => {
  const bad = {
    "nothing": "", "half": '{"description":"x"', "more": '{"description":"x"} {}', "a list": "[]", "a text": '"x"', "null": "null",
    "single quotes": "{'description':'x'}", "a comment": '{/**/"description":"x"}', "a trailing comma": '{"description":"x",}',
    "no UTF-8": Buffer.from('{"description":"\xff"}', "latin1"), "overlong": Buffer.from('{"description":"\xc0\xaf"}', "latin1"),
    "half a surrogate": '{"description":"\\ud800"}', "a raw surrogate": Buffer.from('{"description":"\xed\xa0\x80"}', "latin1"),
    "a byte order mark": '\ufeff{"description":"x"}', "UTF-16": Buffer.from('{"description":"x"}', "utf16le"),
    "NUL": '{"description":"a\\u0000b"}', "a raw NUL": '{"description":"a\0b"}', "NUL in a name": '{"description":"x","a\\u0000":1}',
    "a name twice": '{"description":"x","description":"y"}', "a name twice below": '{"description":"x","y":{"a":1,"a":2}}',
    "depth": `{"description":"x","y":${"[".repeat(64)}${"]".repeat(64)}}`, "great depth": `{"y":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
    "NaN": '{"description":"x","y":NaN}',
  };
  for (const [name, body] of Object.entries(bad)) {
    const answer = await post(body);
    assert.deepEqual(code(answer), [400, "bad_request"], name);
    assert.equal(answer.headers["content-type"], "application/problem+json");
  }
  assert.equal((await post(`{"description":"x","y":${"[".repeat(63)}${"]".repeat(63)}}`)).status, 202);
});

test("values have types and lengths, counted in characters", async () => {
  const good = [
    { description: "\u{1f6aa}".repeat(10_000) }, { description: "x", title: "\u{1f6aa}".repeat(200) }, { description: "x", title: "" },
    { description: "x", title: null, isPrivate: null, repo: null }, { description: "x", repo: "owner/name.js" },
    { description: "x", taskId: "ignored", status: "merged", createdBy: "eve", orgId: "other", seq: 99 },
  ];
  for (const body of good) assert.equal((await post(body)).status, 202, JSON.stringify(body).slice(0, 80));
  const { body: { taskId } } = await post(good.at(-1));
  const { body: task } = await ask("GET", `/api/tasks/${taskId}`);
  assert.deepEqual([task.status, task.createdBy, task.orgId, task.seq], ["received", "ann", "acme", 1]);

  const bad = [
    {}, { description: "" }, { description: null }, { description: 1 }, { description: ["x"] }, { description: { $gt: "" } },
    { description: "\u{1f6aa}".repeat(10_001) }, { description: "x", title: "x".repeat(201) }, { description: "x", title: 1 },
    { description: "x", isPrivate: "true" }, { description: "x", isPrivate: 1 },
    ...["owner", "owner/", "/name", "a/b/c", "own er/name", "owner/..", `${"o".repeat(40)}/n`, 7].map((repo) => ({ description: "x", repo })),
  ];
  for (const body of bad) {
    const answer = await post(body);
    assert.deepEqual(code(answer), [422, "invalid"], JSON.stringify(body).slice(0, 80));
    assert.ok(answer.body.detail.length > 0);
  }
  const edit = (body) => send("PATCH", `/api/tasks/${taskId}`, JSON.stringify(body), { "If-Match": "*" });
  for (const body of [{}, { title: null }, { unknown: 1 }, { title: "" }, { description: "" }, { title: "x".repeat(201) }, { isPrivate: 0 }]) {
    assert.deepEqual(code(await edit(body)), [422, "invalid"], JSON.stringify(body).slice(0, 80));
  }
});

test("an entity tag is what ETag said, or none of ours", async () => {
  const { body: { taskId } } = await post({ description: "Tagged" });
  const edit = (tag) => send("PATCH", `/api/tasks/${taskId}`, JSON.stringify({ title: tag.slice(0, 20) }), { "If-Match": tag });
  for (const tag of ["1", "", '"1', "W/1", '"1", "2"', '"a"b"']) assert.deepEqual(code(await edit(tag)), [400, "bad_request"], tag);
  for (const tag of ['"2"', '"0"', '"01"', '"-1"', '"x"', '""', '"99999999999999999999"']) {
    const answer = await edit(tag);
    assert.deepEqual(code(answer), [409, "conflict"], tag);
    assert.equal(answer.body.task.seq, 1);
    assert.equal(answer.headers.etag, '"1"');
  }
  assert.equal((await edit('"1"')).headers.etag, '"2"');
  assert.equal((await edit('W/"2"')).headers.etag, '"3"');
  assert.equal((await edit("*")).headers.etag, '"4"');
  const seen = async (tags) => (await ask("GET", `/api/tasks/${taskId}`, { headers: { "If-None-Match": tags } })).status;
  for (const tags of ['"4"', 'W/"4"', '"1", "4"', '"x" ,W/"4"', "*"]) assert.equal(await seen(tags), 304, tags);
  for (const tags of ['"3"', "4", '"x"', ""]) assert.equal(await seen(tags), 200, tags);
});

test("a query has values from lists, and names that we ignore", async () => {
  const bad = {
    "/api/tasks": ["limit=0", "limit=101", "limit=", "limit=1.0", "limit=+5", "limit=%205", "limit=0x5", "limit=99999999999999999999", "status=", "status=Merged",
      "sort=createdAt", "sort=", "cursor=", "cursor=abc", `cursor=${"A".repeat(2000)}`, "active=TRUE", "active=", "mine=1", "creator=", "creator=a%2Fb", `creator=${"a".repeat(129)}`,
      `q=${"a".repeat(201)}`, "q=%00", "q=%ff", "q=%zz"],
    "/api/tasks/:id/events": ["after=-1", "after=x", "before=0", "before=", "limit=0", "limit=201"],
  };
  const { body: { taskId } } = await post({ description: "Asked for" });
  for (const [path, queries] of Object.entries(bad)) {
    for (const query of queries) assert.deepEqual(code(await ask("GET", `${path.replace(":id", taskId)}?${query}`)), [422, "invalid"], query);
  }
  for (const query of ["unknown=1", "", "&&", "limit=5&limit=900", "q=", "q=%20%2C", "status=received&active=false", "mine=false", "mine=true&creator=bob"]) {
    const { status, body } = await ask("GET", `/api/tasks?${query}`);
    assert.equal(status, 200, query);
    assert.equal(body.tasks.length === 0, ["status=received&active=false", "mine=true&creator=bob"].includes(query), query);
  }
});

test("what never became a request is told in the same words", async () => {
  for (const [bytes, status, name] of [
    ["GET /api/me\n", 400, "bad_request"], ["BREW /api/me HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"], ["GET /api/me HTTP/1.1\r\n\r\n", 400, "bad_request"],
    [`GET /api/me HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}\r\n\r\n`, 431, "head_too_large"],
  ]) assert.match(await raw(bytes), new RegExp(`^HTTP/1\\.1 ${status} [^]*application/problem\\+json[^]*"code":"${name}"`), bytes.slice(0, 40));
});

test("large answers leave as gzip where the client can read it", async () => {
  const who = { Authorization: `Bearer ${stack.token("gina", "gzip")}` };
  for (let i = 0; i < 30; i++) assert.equal((await post({ description: `Task number ${i}` }, who)).status, 202);
  const list = (headers) => ask("GET", "/api/tasks", { headers: { ...who, ...headers } });
  const plain = await list({}), packed = await list({ "Accept-Encoding": "br, gzip;q=0.8" });
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.ok(packed.bytes.length * 4 < plain.bytes.length, `${packed.bytes.length} of ${plain.bytes.length}`);
  assert.deepEqual(packed.body.tasks, plain.body.tasks);
  for (const answer of [plain, packed]) assert.equal(answer.headers.vary, "Accept-Encoding");
  for (const no of ["gzip;q=0", "identity", "gzip;q=0, *;q=1", "deflate"]) assert.equal((await list({ "Accept-Encoding": no })).headers["content-encoding"], undefined, no);
  const small = await ask("GET", "/api/me", { headers: { "Accept-Encoding": "gzip" } });
  assert.deepEqual([small.headers["content-encoding"], small.headers.vary], [undefined, "Accept-Encoding"]);

  const { body: { taskId } } = await post({ description: "Long" }, who);   // packed on a worker
  for (let i = 1; i <= 30; i++) {
    const description = `${i} `.repeat(3000).slice(0, 10_000);
    assert.equal((await send("PATCH", `/api/tasks/${taskId}`, JSON.stringify({ description }), { ...who, "If-Match": "*" })).status, 200);
  }
  const state = await Promise.all(Array.from({ length: 8 }, (_, i) => ask("GET", `/api/tasks/${taskId}`, { headers: { ...who, ...(i % 2 && { "Accept-Encoding": "gzip" }) } })));
  for (const [i, answer] of state.entries()) {
    assert.equal(answer.headers["content-encoding"], i % 2 ? "gzip" : undefined);
    assert.equal(answer.headers.etag, '"31"');
    assert.deepEqual(answer.body, state[0].body);
  }
  assert.ok(state[0].bytes.length > 64 * 1024 && state[1].bytes.length < 32 * 1024);
});
