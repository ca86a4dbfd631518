// failures.test.mjs - taskctl where taskd is slow, stopped, absent or no taskd at all, and where Redis is: each
// failure has its exit code and a sentence, and nothing hangs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createServer } from "node:http";
import net from "node:net";
import { Stack, freePort, sleep, until } from "../harness.mjs";
import { bare, run, taskctl } from "./terminal.mjs";
import { spawn } from "node:child_process";

const ID = "0123456789abcdef01234567";
let stack, env;
before(async () => {
  stack = await Stack.start({ gateways: 1 });
  env = { TASKD_URL: stack.taskdUrl, REDIS_URL: stack.redisUrl, JWT_SECRET: stack.secret };
});
after(() => stack.stop());
const ctl = (args, more = {}) => run([taskctl, ...args], { env: { ...env, ...more }, ms: 30_000 });

/** Every command that asks taskd. */
const asking = [["list"], ["get", ID], ["watch"], ["watch", ID], ["create", "x"], ["clarify", ID, "x"], ["wait", ID], ["stats"], ["health"], ["replicas"], ["outbox"],
  ["outbox", "push", ID], ["dead", "list"], ["dead", "show", "1-1"], ["dead", "retry", "1-1"], ["dead", "drop", "1-1"], ["dead", "drop", "--all", "--yes"],
  ["revoke", "--person", "x"], ["revoke", "list"], ["revoke", "undo", "jti:x"], ["flags"], ["flags", "set", "enabled=on"], ["flags", "unset", "enabled"]];

/** A server for a test: its URL, and an end of it. */
async function serve(server) {
  const sockets = new Set();
  server.on("connection", (s) => { sockets.add(s); s.on("close", () => sockets.delete(s)).on("error", () => {}); });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((done) => { server.close(done); for (const s of sockets) s.destroy(); }) };
}
const web = (answer) => serve(createServer(answer));
const raw = (answer) => serve(net.createServer((s) => { s.on("error", () => {}); s.once("data", () => answer(s)); }));

describe("taskd is absent", () => {
  test("every command that asks it is 5, at once, with its address", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    for (const args of asking) {
      const { code, out, err } = await ctl(args, { TASKD_URL: url });
      assert.deepEqual([code, out], [5, ""], args.join(" "));
      assert.match(err, new RegExp(`^taskctl: taskd at ${url} is not to be reached: connection refused\n`), args.join(" "));
    }
  });
  test("who may not know whether it was done is told how to repeat it", async () => {
    const { err } = await ctl(["create", "x"], { TASKD_URL: `http://127.0.0.1:${await freePort()}` });
    assert.match(err, /repeat it with --key [0-9a-f]{32}\n$/);
    assert.match((await ctl(["create", "x", "--key", "mine"], { TASKD_URL: `http://127.0.0.1:${await freePort()}` })).err, /repeat it with --key mine\n$/);
  });
  test("of several, the first that answers is asked", async () => {
    const absent = `http://127.0.0.1:${await freePort()}`;
    const { code, err } = await ctl(["list"], { TASKD_URL: `${absent}, ${stack.taskdUrl}/` });
    assert.deepEqual([code, err], [0, ""]);
    assert.equal((await ctl(["list"], { TASKD_URL: `${absent},${absent}` })).code, 5);
  });
  test("a name that does not exist is 5, an address that is none 2", async () => {
    assert.equal((await ctl(["list"], { TASKD_URL: "http://no-such-host.invalid:3001" })).code, 5);
    for (const url of ["ftp://127.0.0.1", "127.0.0.1:3001", "http://127.0.0.1:3001/api", "http://"]) {
      const { code, err } = await ctl(["list"], { TASKD_URL: url });
      assert.equal(code, 2, url);
      assert.match(err, /TASKD_URL is not of the form/);
    }
  });
});

describe("taskd is stopped", () => {
  before(() => stack.taskd.signal("SIGSTOP"));
  after(() => stack.taskd.signal("SIGCONT"));

  test("every command is 5 after the time that it may take", async () => {
    await Promise.all(asking.filter((args) => args[0] !== "wait").map(async (args) => {
      const { code, out, err } = await ctl([...args, "--request-timeout", "500ms"]);
      assert.deepEqual([code, out], [5, ""], args.join(" "));
      assert.match(err, /did not answer within 500 ms/, args.join(" "));
    }));
  });
  test("wait is 124: the time is over, whatever the reason", async () => {
    assert.equal((await ctl(["wait", ID, "--timeout", "700ms"])).code, 124);
  });
});

describe("taskd is slow", () => {
  test("an answer that takes its time is waited for, and given up after the time that it may take", async () => {
    const slow = await web((request, response) => setTimeout(() => { response.setHeader("Content-Type", "application/json"); response.end('{"tasks":[]}'); }, 1500));
    assert.equal((await ctl(["list"], { TASKD_URL: slow.url })).code, 0);
    assert.equal((await ctl(["list", "--request-timeout", "300ms"], { TASKD_URL: slow.url })).code, 5);
    await slow.close();
  });
  test("one that dribbles is given up, too", async () => {
    const dribble = await web((request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      const timer = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(timer));
    });
    assert.equal((await ctl(["list", "--request-timeout", "700ms"], { TASKD_URL: dribble.url })).code, 5);
    await dribble.close();
  });
});

describe("what answers is no taskd", () => {
  const answers = {
    "an HTML page": () => web((q, r) => { r.setHeader("Content-Type", "text/html"); r.end("<h1>It works</h1>"); }),
    "an HTML page that is not found": () => web((q, r) => { r.statusCode = 404; r.end("<h1>404</h1>"); }),
    "another service's error": () => web((q, r) => { r.statusCode = 500; r.setHeader("Content-Type", "application/json"); r.end('{"error":"oops"}'); }),
    "a proxy without a service": () => web((q, r) => { r.statusCode = 502; r.end("Bad Gateway"); }),
    "JSON that is no object": () => web((q, r) => r.end("[1,2]")),
    "nothing": () => web((q, r) => r.end()),
    "JSON that is cut off": () => web((q, r) => r.end('{"tasks":[{"taskId":"')),
    "a body that is cut off": () => raw((s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")),
    "an end without a word": () => raw((s) => s.end()),
    "garbage": () => raw((s) => s.end(Buffer.from("\x16\x03\x01\x02\x00\x01garbage\x1b[31m\r\n\r\n", "latin1"))),
    "an endless head": () => raw((s) => { s.write("HTTP/1.1 200 OK\r\nX: "); const t = setInterval(() => s.write("x".repeat(65536)), 1); s.on("close", () => clearInterval(t)); }),
  };
  for (const [what, start] of Object.entries(answers)) test(`${what} is 5, and told in one sentence without escapes`, async () => {
    const server = await start();
    for (const args of [["list"], ["get", ID], ["health"], ["dead", "list"]]) {
      const { code, out, err } = await ctl([...args, "--request-timeout", "5s"], { TASKD_URL: server.url });
      assert.deepEqual([code, out], [5, ""], `${args.join(" ")}: ${err}`);
      assert.match(err, /^taskctl: [^\x00-\x1f]+\n$/);
    }
    await server.close();
  });
  test("members that are missing or of another kind do no harm", async () => {
    for (const body of ["{}", '{"tasks":{}}', '{"tasks":[1,null,{"taskId":7}]}', '{"status":{},"replicas":7,"oldest":"x","deadLetters":[[]],"flags":3,"revocations":{}}']) {
      const server = await web((q, r) => { r.setHeader("Content-Type", "application/json"); r.end(body); });
      for (const args of asking.filter((a) => a[0] !== "watch")) {
        const { code, signal, err } = await ctl([...args, ...(args[0] === "wait" ? ["--timeout", "200ms"] : [])], { TASKD_URL: server.url });
        assert.equal(signal, null, `${args.join(" ")} on ${body}: ${err}`);
        assert.ok([0, 1, 5, 124].includes(code), `${args.join(" ")} on ${body}: ${code} ${err}`);
      }
      await server.close();
    }
  });
});

describe("Redis", () => {
  test("absent is 5 for publish, with its address and without its password", async () => {
    const port = await freePort();
    const { code, out, err } = await ctl(["publish", "note", ID, "text=x", "--request-timeout", "500ms"], { REDIS_URL: `redis://user:hidden@127.0.0.1:${port}` });
    assert.deepEqual([code, out], [5, ""]);
    assert.match(err, new RegExp(`^taskctl: Redis at 127.0.0.1:${port} is not to be reached\n.*repeat it with --id [0-9a-f]{32}\n$`));
    assert.ok(!err.includes("hidden"));
  });
  test("stopped is 5 as well", async () => {
    stack.redis.signal("SIGSTOP");
    const { code, err } = await ctl(["publish", "note", ID, "text=x", "--request-timeout", "500ms"]);
    stack.redis.signal("SIGCONT");
    assert.equal(code, 5, err);
  });
  test("that refuses is 1, with what it says", async () => {
    await stack.redisCall("CONFIG", "SET", "maxmemory", "1");
    const { code, err } = await ctl(["publish", "note", ID, "text=x"]);
    await stack.redisCall("CONFIG", "SET", "maxmemory", "0");
    assert.equal(code, 1);
    assert.match(err, /refuses: OOM/);
  });
  test("an address that is none is 2", async () => {
    assert.equal((await ctl(["publish", "note", ID, "text=x"], { REDIS_URL: "http://127.0.0.1" })).code, 2);
  });
});

describe("who one is", () => {
  test("a token is enough, without any secret; one that opens nothing is 1", async () => {
    const token = stack.token("op", "ops", { roles: ["admin"] });
    const only = (TASKWIRE_TOKEN, ...args) => run([taskctl, ...args], { env: { TASKD_URL: stack.taskdUrl, TASKWIRE_TOKEN } });
    assert.equal((await only(token, "replicas")).code, 0);
    const expired = await only(stack.token("op", "ops", { exp: 1 }), "list");
    assert.equal(expired.code, 1);
    assert.match(expired.err, /tasks: The token has expired/);
    assert.match((await only("nonsense", "list")).err, /A valid token is required/);
    assert.equal((await only(token, "list", "--sub", "ann")).code, 2);
  });
  test("a person's token is 1 for what only operators may, and says so", async () => {
    const { code, err } = await ctl(["dead", "list", "--sub", "ann", "--org", "acme"]);
    assert.equal(code, 1);
    assert.match(err, /dead letters: Not allowed\n.*need the role admin/);
  });
  test("nothing at all is 2, and no secret is ever shown", async () => {
    const nobody = await run([taskctl, "list"], { env: { TASKD_URL: stack.taskdUrl } });
    assert.equal(nobody.code, 2);
    assert.match(nobody.err, /JWT_SECRET is not set/);
    const both = await run([taskctl, "list"], { env: { TASKD_URL: stack.taskdUrl, JWT_SECRET: stack.secret, JWT_SECRET_FILE: "/dev/null" } });
    assert.equal(both.code, 2);
    assert.ok(!both.err.includes(stack.secret));
  });
  test("through a gateway, what it does not pass on is no operator's", async () => {
    assert.equal((await ctl(["list", "--org", "acme"], { TASKD_URL: stack.url })).code, 0);
    assert.equal((await ctl(["dead", "list"], { TASKD_URL: stack.url })).code, 0);
    assert.equal((await ctl(["flags"], { TASKD_URL: stack.url })).code, 3);
  });
});

describe("standard output", () => {
  test("closed early ends it as it ends any tool, without a word", async () => {
    for (let i = 0; i < 60; i++) await stack.createTask({ description: `${i} ${"long ".repeat(1500)}` });
    for (const format of ["table", "json", "ndjson"]) {
      const { out, err } = await run(["bash", "-c", `"$0" list --all -o ${format} | head -1; echo "\${PIPESTATUS[0]}"`, taskctl], { env });
      const [first, code] = out.trimEnd().split("\n");
      assert.ok(first.length > 0);
      assert.ok(["0", "141"].includes(code), code);
      assert.equal(err, "");
    }
    const ids = (await ctl(["list", "-q"])).out.trim().split("\n");
    const { out, err } = await run(["bash", "-c", '"$0" get -o ndjson "$@" | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"', taskctl, ...ids], { env });
    assert.deepEqual([out, err], ["141\n", ""], "half a megabyte does not fit into a pipe");
  });
  test("a watch whose reader has gone ends with its next line", async (t) => {
    const child = spawn(taskctl, ["watch", "--interval", "100ms"], { env: bare(env), stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let err = "";
    child.stderr.on("data", (d) => { err += d; });
    const ended = new Promise((done) => child.on("close", (code, signal) => done(signal)));
    child.stdout.destroy();
    let isOver = false;
    ended.then(() => { isOver = true; });
    await until("it ends", async () => {
      if (!isOver) await stack.createTask();
      return isOver;
    }, { every: 200 });
    assert.equal(await ended, "SIGPIPE");
    assert.equal(err, "");
  });
  test("that is full is 1, with a sentence", async () => {
    for (const args of ["list -o json", "version", "help", "completion bash", "watch --interval 100ms"]) {
      let isOver = false;
      const full = run(["bash", "-c", `exec "$0" ${args} >/dev/full`, taskctl], { env }).finally(() => { isOver = true; });
      while (args.startsWith("watch") && !isOver) { await stack.createTask(); await sleep(200); }
      const { code, err } = await full;
      assert.deepEqual([code, err], [1, "taskctl: standard output: No space left on device\n"], args);
    }
  });
});
