// http.mjs -- single HTTP requests: errors and their order, methods, CORS, what is not ours.
import { Polling, rawBytes, request, sleep } from "../rawclient.mjs";

const COMPARED = ["content-type", "cache-control", "access-control-allow-origin", "access-control-allow-methods",
  "access-control-allow-headers", "access-control-allow-credentials", "vary", "set-cookie", "allow"];

// What of an answer is compared. A Set-Cookie's date is not.
export function summary({ status, headers, body, error }) {
  if (error) return error;
  const kept = COMPARED.filter((name) => headers[name] !== undefined)
    .map((name) => `${name}: ${String(headers[name]).replace(/Expires=[^;,]*,[^;,]*/, "Expires=<date>")}`);
  return [status, ...kept, body].join(" | ");
}

const QUERIES = [
  "", "?", "?EIO=4", "?transport=polling", "?EIO=4&transport=polling", "?transport=polling&EIO=4",
  "?EIO=3&transport=polling", "?EIO=5&transport=polling", "?EIO=abc&transport=polling", "?EIO=&transport=polling",
  "?EIO=4&transport=webtransport", "?EIO=4&transport=foo", "?EIO=3&transport=foo", "?EIO=4&transport=websocket",
  "?EIO=4&transport=polling&sid=", "?EIO=4&transport=polling&sid=unknown", "?EIO=4&transport=polling&sid=__proto__",
  "?EIO=4&transport=websocket&sid=unknown", "?EIO=3&transport=polling&sid=unknown",
  "?EIO=4&transport=polling&t=abc&b64=1", "?EIO=4&transport=%70olling", "?EIO=4&transport=Polling",
];
const METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];

function* errors() {
  for (const mode of ["probe", "sio-client"]) {
    for (const method of METHODS) {
      for (const query of QUERIES) {
        if (mode === "sio-client" && !["GET", "POST", "OPTIONS"].includes(method)) continue;
        yield {
          name: `http ${mode} ${method} ${query || "no query"}`,
          mode,
          run: async (port) => [summary(await request(port, { method, path: `/socket.io/${query}` }))],
        };
      }
    }
  }
}

const PATHS = ["/", "/socket.io", "/socket.io?EIO=4&transport=polling", "/socket.iox/?EIO=4&transport=polling",
  "/other/?EIO=4&transport=polling", "/socket.io/more?EIO=4&transport=polling", "/SOCKET.IO/?EIO=4&transport=polling",
  "//socket.io/?EIO=4&transport=polling"];

const ORIGINS = [
  ["a preflight", { method: "OPTIONS", headers: { Origin: "http://a.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a, x-b" } }],
  ["a preflight without headers", { method: "OPTIONS", headers: { Origin: "http://a.example", "Access-Control-Request-Method": "GET" } }],
  ["OPTIONS without Origin", { method: "OPTIONS" }],
  ["a handshake with Origin", { headers: { Origin: "http://a.example" } }],
  ["an error with Origin", { headers: { Origin: "http://a.example" }, query: "?EIO=4&transport=foo" }],
  ["a preflight with a sid", { method: "OPTIONS", query: "?EIO=4&transport=polling&sid=unknown" }],
];

function* cors() {
  for (const mode of ["probe", "sio-client"]) {
    for (const [name, { query = "?EIO=4&transport=polling", ...rest }] of ORIGINS) {
      yield {
        name: `http ${mode} ${name}`,
        mode,
        run: async (port) => [summary(await request(port, { path: `/socket.io/${query}`, ...rest }))],
      };
    }
  }
}

// Requests with the sid of a session that lives; then, whether it still does.
const WITH_SID = [
  ["GET with another EIO", { url: (p) => p.url().replace("EIO=4", "EIO=3") }],
  ["GET without EIO", { url: (p) => p.url().replace("EIO=4&", "") }],
  ["GET as a websocket", { url: (p) => p.url().replace("polling", "websocket") }],
  ["PUT", { method: "PUT" }], ["DELETE", { method: "DELETE" }], ["PATCH", { method: "PATCH" }],
  ["HEAD", { method: "HEAD" }], ["OPTIONS", { method: "OPTIONS" }],
  ["POST of nothing", { method: "POST", body: "" }],
  ["POST of a noop", { method: "POST", body: "6" }],
  ["POST of an open packet", { method: "POST", body: "0" }],
  ["POST of an upgrade packet", { method: "POST", body: "5" }],
  ["POST of an unasked pong", { method: "POST", body: "3" }],
  ["POST of a ping", { method: "POST", body: "2" }],
  ["POST of a ping with data", { method: "POST", body: "2probe" }],
  ["POST of a close packet", { method: "POST", body: "1" }],
  ["POST of an unknown packet", { method: "POST", body: "7" }],
  ["POST of a letter", { method: "POST", body: "x" }],
  ["POST of a lone message type", { method: "POST", body: "4" }],
  ["POST of a lone separator", { method: "POST", body: "\x1e" }],
  ["POST of pongs and a separator at the end", { method: "POST", body: "3\x1e3\x1e" }],
  ["POST of several pongs", { method: "POST", body: "3\x1e3\x1e3" }],
  ["POST of binary that nobody announced", { method: "POST", body: "bAQID" }],
  ["POST of broken base64", { method: "POST", body: "b***" }],
  ["POST with an octet-stream", { method: "POST", body: "3", headers: { "Content-Type": "application/octet-stream" } }],
  ["POST without a type", { method: "POST", body: "3", headers: {} }],
  ["POST of JSON", { method: "POST", body: "3", headers: { "Content-Type": "application/json" } }],
  ["POST in chunks", { method: "POST", body: "3", chunked: true }],
  ["POST over the limit", { method: "POST", body: `4${"x".repeat(1e6)}` }],
];

function* sessions() {
  for (const [name, { url = (p) => p.url(), method = "GET", headers = { "Content-Type": "text/plain;charset=UTF-8" }, ...rest }] of WITH_SID) {
    yield {
      name: `http session: ${name}`,
      mode: "probe",
      run: async (port) => {
        const p = new Polling(port);
        await p.open();
        const path = url(p);
        const answer = await request(port, { method, path, headers: method === "POST" ? headers : {}, ...rest });
        await p.post("40");                    // whether it lives shows in what it says next
        return [summary(answer), ...await p.drain("40")];
      },
    };
  }
}

const TWICE = [
  {
    name: "http session: a second GET while one is pending",
    mode: "probe",
    run: async (port) => {
      const p = new Polling(port);
      await p.open();
      const first = p.get();
      await sleep(150);
      return [summary(await p.get()), summary(await first), summary(await p.get())];
    },
  },
  {
    name: "http session: a bad packet ends the pending GET",
    mode: "probe",
    run: async (port) => {
      const p = new Polling(port);
      await p.open();
      const first = p.get();
      await sleep(150);
      return [summary(await p.post("x")), summary(await first), summary(await p.get())];
    },
  },
  {
    name: "http session: a close packet ends the pending GET",
    mode: "probe",
    run: async (port) => {
      const p = new Polling(port);
      await p.open();
      const first = p.get();
      await sleep(150);
      return [summary(await p.post("1")), summary(await first), summary(await p.get())];
    },
  },
  {
    name: "http session: several packets in one POST, several in one GET",
    mode: "eio",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      const posted = await p.post(["4a", "4b", "bAQID", "4ä€😀", "4"].join("\x1e"));
      return [summary(posted), summary(await p.get())];
    },
  },
  {
    name: "http session: a pending GET is answered by a POST",
    mode: "eio",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      const first = p.get();
      await sleep(50);
      return [summary(await p.post("4hello")), summary(await first)];
    },
  },
  {
    name: "http session: a message of the whole limit in bytes",
    mode: "eio",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      const posted = await p.post(`4${"€".repeat(333333)}`);
      const got = await p.get();
      return [summary(posted), got.status, got.body.length];
    },
  },
  {
    name: "http session: one byte over the limit in many characters",
    mode: "eio",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      return [summary(await p.post(`4${"€".repeat(333333)}x`))];
    },
  },
  {
    name: "http session: base64 without padding",
    mode: "eio",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      return [summary(await p.post("bAQ\x1ebAQI\x1eb")), summary(await p.get())];
    },
  },
  {
    name: "http eio-client: cookies with the handshake",
    mode: "eio-client",
    run: async (port) => [summary(await new Polling(port, "/engine.io/").open())],
  },
  {
    name: "http eio-client: refused by the application",
    mode: "eio-client",
    run: async (port) => [summary(await new Polling(port, "/engine.io/").open("&deny")), summary(await new Polling(port, "/engine.io/").open("&deny=1"))],
  },
  {
    name: "http eio-client: its greeting and answers",
    mode: "eio-client",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      await p.post("4give binary\x1e4give utf8\x1e4anything");
      return p.drain("4anything");
    },
  },
  {
    name: "http eio-client: the headers of a POST",
    mode: "eio-client",
    run: async (port) => {
      const p = new Polling(port, "/engine.io/");
      await p.open();
      await p.post("4sendHeaders", { "Content-Type": "text/plain", "X-Twice": ["a", "b"], Cookie: "c=d" });
      return (await p.drain("4{")).map((packet) => packet.replace(/127\.0\.0\.1:\d+/, "<host>"));
    },
  },
];

// Whole heads as bytes; of the answer the status line counts, and whether the connection ended.
const HEADS = [
  ["no Host", "GET /socket.io/?EIO=4&transport=foo HTTP/1.1\r\n\r\n"],
  ["HTTP/1.0", "GET /socket.io/?EIO=4&transport=foo HTTP/1.0\r\n\r\n"],
  ["a control character in Origin", "GET /socket.io/?EIO=4&transport=foo HTTP/1.1\r\nHost: x\r\nOrigin: a\x01b\r\n\r\n"],
  ["no HTTP at all", "hello\r\n\r\n"],
  ["a header without a colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"],
  ["two requests in one write", "GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /socket.io/?EIO=4&transport=foo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
  ["Content-Length beside chunked", "POST /socket.io/?EIO=4&transport=foo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a negative Content-Length", "POST /socket.io/?EIO=4&transport=foo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"],
];

export const httpScenarios = [
  ...errors(), ...cors(), ...sessions(), ...TWICE,
  ...PATHS.map((path) => ({
    name: `http path ${path}`,
    mode: "probe",
    run: async (port) => [summary(await request(port, { path })).replace(/\d+ \| .*sid.*/, "a handshake")],
  })),
  ...HEADS.map(([name, head]) => ({
    name: `http bytes: ${name}`,
    mode: "probe",
    run: async (port) => {
      const { text, end } = await rawBytes(port, head);
      return [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((m) => m[1]).concat(end);
    },
  })),
];
