// redis.mjs - one command to Redis, answered as redis-cli prints it where no person reads it: a value a
// line, nothing for nil, an error as its text. A connection for each, as redis-cli has; but no
// process, which would cost a test ten times what Redis does.
import net from "node:net";

/** A reply in `bytes` from `at` on: {value, end}; null where not all of it is there yet. */
function parse(bytes, at) {
  const eol = bytes.indexOf("\r\n", at);
  if (eol < 0) return null;
  const text = bytes.toString("utf8", at + 1, eol), next = eol + 2, kind = String.fromCharCode(bytes[at]);
  if (kind === "+" || kind === "-" || kind === ":") return { value: kind === ":" ? Number(text) : text, end: next };
  const count = Number(text);
  if (count < 0) return { value: null, end: next };
  if (kind === "$") return bytes.length < next + count + 2 ? null : { value: bytes.toString("utf8", next, next + count), end: next + count + 2 };
  if (kind !== "*") throw new Error(`Redis answers ${kind}${text}`);
  const value = [];
  let end = next;
  while (value.length < count) {
    const element = parse(bytes, end);
    if (!element) return null;
    value.push(element.value);
    end = element.end;
  }
  return { value, end };
}

const print = (value) => (Array.isArray(value) ? value.map(print).join("\n") : String(value ?? ""));

/** `args` as on redis-cli's command line; "--json" before them: the reply as JSON. */
export function redisCall(port, ...args) {
  const isJson = args[0] === "--json", words = (isJson ? args.slice(1) : args).map(String);
  return new Promise((done, fail) => {
    const socket = net.connect(port, "127.0.0.1"), pieces = [];
    socket.on("error", (error) => fail(new Error(`Redis at 127.0.0.1:${port}, ${words[0]}: ${error.message}`)));
    socket.on("close", () => fail(new Error(`Redis at 127.0.0.1:${port}, ${words[0]}: the connection was closed`)));
    socket.on("data", (data) => {
      pieces.push(data);
      // A long one is looked at again only where it may be whole.
      if (data.subarray(-2).toString() !== "\r\n") return;
      const reply = parse(Buffer.concat(pieces), 0);
      if (!reply) return;
      socket.destroy();
      done(isJson ? JSON.stringify(reply.value) : print(reply.value).trim());
    });
    socket.write(`*${words.length}\r\n${words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join("")}`);
  });
}
