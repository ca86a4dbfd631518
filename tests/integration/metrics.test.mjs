// What both services say at /metrics: OpenMetrics by Prometheus' own parser, each family a row of
// deploy/metrics.md, and nothing in deploy/ names a metric that is not there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { cache, venv } from "../venv.mjs";
import { Stack, ask, freePort, root, until } from "./harness.mjs";

const here = path.join(root, "tests/integration/metrics");
let stack, python, ports;

/** The one table: name -> {type, labels, of}. */
const table = new Map([...readFileSync(path.join(root, "deploy/metrics.md"), "utf8")
  .matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\| (\w+) \| (.+) \|$/gm)]
  .map(([, name, type, labels, of, text]) => [name, { type, labels: [...labels.matchAll(/`(\w+)`/g)].map((m) => m[1]).sort(), of, text }]));

before(async () => {
  python = await venv(path.join(cache, "metrics-venv"), path.join(here, "requirements.txt"));
  ports = { gateway: await freePort(), taskd: await freePort() };
  stack = await Stack.start({ gatewayEnv: { METRICS_PORT: String(ports.gateway) }, taskdEnv: { METRICS_PORT: String(ports.taskd) } });
});
after(() => stack?.stop());

const page = (service) => fetch(`http://127.0.0.1:${ports[service]}/metrics`);

async function parse(text) {
  const child = spawn(python.python, [path.join(here, "parse.py")], { stdio: ["pipe", "pipe", "pipe"] });
  let out = "", err = "";
  child.stdout.on("data", (d) => { out += d; });
  child.stderr.on("data", (d) => { err += d; });
  child.stdin.end(text);
  const code = await new Promise((done) => child.on("close", done));
  assert.equal(code, 0, err);
  return new Map(JSON.parse(out).map((f) => [f.name, f]));
}

test("the page says what it is, and ends as the format wants", async () => {
  for (const service of ["gateway", "taskd"]) {
    const answer = await page(service), text = await answer.text();
    assert.equal(answer.headers.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert.ok(text.endsWith("\n# EOF\n"));
    assert.match(text, /^# TYPE taskwire_loop_lag_seconds histogram\n# UNIT taskwire_loop_lag_seconds seconds\n# HELP taskwire_loop_lag_seconds /m);
    assert.equal((await fetch(`http://127.0.0.1:${ports[service]}/`)).status, 404);
    assert.equal((await fetch(`http://127.0.0.1:${ports[service]}/metrics`, { method: "POST" })).status, 405);
    assert.equal((await fetch(`http://127.0.0.1:${ports[service]}/metrics`, { method: "HEAD" })).status, 200);
  }
});

test("a real parser reads it, and its families are the table's rows", async (t) => {
  if (python.reason) return t.skip(python.reason);
  assert.ok(table.size > 100);
  for (const service of ["gateway", "taskd"]) {
    const families = await parse(await (await page(service)).text());
    const rows = [...table].filter(([, row]) => row.of === service || row.of === "both");
    assert.deepEqual([...families.keys()].filter((name) => !rows.some(([row]) => row === name)), [], `of ${service}, without a row in deploy/metrics.md`);
    assert.deepEqual(rows.map(([name]) => name).filter((name) => !families.has(name)), [], `rows of deploy/metrics.md that ${service} does not have`);
    for (const [name, row] of rows) {
      const f = families.get(name);
      assert.equal(f.type, row.type, name);
      assert.deepEqual(f.labels, row.labels, name);
      assert.ok(f.help.length > 5 && row.text.length > 0, name);
      assert.equal(f.unit, /_(seconds|bytes)$/.exec(name)?.[1] ?? "", name);
    }
  }
});

test("the figures are those of what happened", async (t) => {
  if (python.reason) return t.skip(python.reason);
  const all = async () => new Map([...await parse(await (await page("gateway")).text()), ...await parse(await (await page("taskd")).text())]
    .flatMap(([, f]) => Object.entries(f.samples)));
  const first = await all(), people = [];
  const taskId = await stack.createTask();
  for (const [i, transports] of [["websocket"], ["polling"], ["websocket"]].entries()) people.push(await stack.connect({ token: stack.token(`p${i}`), transports }));
  for (const p of people) assert.ok((await ask(p, "task:join", { taskId })).ok);
  assert.ok((await ask(people[0], "dashboard:join", {})).ok);
  assert.equal((await ask(people[1], "task:join", { taskId: "" })).ok, false);
  await stack.publish("analyzing", taskId, {});
  await stack.redisCall("XADD", "tasks:ingest", "*", "event", "{");
  for (const p of people) await until("it came", () => p.log.some((e) => e.name === "task:analyzing"));
  await until("it is a dead letter", async () => (await stack.redisCall("XLEN", "tasks:ingest:dead")) === "1");
  let now;
  const more = (name) => (now.get(name) ?? 0) - (first.get(name) ?? 0);
  await until("the second's figures are in", async () => (now = await all()).get("taskwire_dead_letters") === 1 && more("taskwire_ingest_inputs_total{outcome=done}") === 1);
  assert.equal(now.get("taskwire_engineio_sessions{transport=websocket}"), 2);
  assert.equal(now.get("taskwire_engineio_sessions{transport=polling}"), 1);
  assert.equal(now.get("taskwire_sio_sockets"), 3);
  assert.equal(now.get("taskwire_users_online"), 3);
  // The task's room, three people's, and of a dashboard its org's and its person's.
  assert.equal(now.get("taskwire_sio_rooms"), 6);
  assert.equal(more("taskwire_task_joins_total"), 3);
  assert.equal(more("taskwire_dashboard_joins_total"), 1);
  assert.equal(more("taskwire_socket_errors_total{code=bad_task_id}"), 1);
  assert.equal(more("taskwire_published_total"), 2);
  assert.equal(more("taskwire_ingest_inputs_total{outcome=dead}"), 1);
  assert.equal(more("taskwire_acts_total{outcome=done}"), 2);
  assert.equal(more("taskwire_commit_to_publish_seconds_count"), 2);
  assert.equal(more("taskwire_commit_to_socket_seconds_count"), 1, "of the one that somebody here was told");
  assert.equal(more("taskwire_publish_to_socket_seconds_count"), 1);
  assert.ok(more("taskwire_commit_to_socket_seconds_sum") >= more("taskwire_publish_to_socket_seconds_sum"));
  assert.equal(more("taskwire_ingest_seconds_count"), 1);
  assert.ok(more("taskwire_net_sent_bytes_total") > 1000);
  assert.ok(more("taskwire_redis_call_seconds_count") > 5);
  assert.ok(now.get("taskwire_canary_age_seconds") < 60);
  assert.equal(now.get("taskwire_ready"), 1);
  assert.ok(now.get("process_open_fds") > 5 && now.get("process_resident_memory_bytes") > 1e6);
  for (const p of people) p.disconnect();
  await until("they are gone", async () => (await all()).get("taskwire_sio_sockets") === 0);
  assert.equal((await fetch(`${stack.url}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: "https://elsewhere.example" } })).status, 403);
  await assert.rejects(stack.connect({ token: "none", reconnection: false }), /valid token/);
  now = await all();
  const refused = [...now.keys()].filter((key) => key.startsWith("taskwire_connections_refused_total") && more(key) > 0);
  assert.deepEqual(refused.sort(), ["origin", "unauthorized"].map((why) => `taskwire_connections_refused_total{reason=${why}}`));
});

function files(folder) {
  return readdirSync(folder).flatMap((f) => {
    const full = path.join(folder, f);
    return statSync(full).isDirectory() ? files(full) : [full];
  });
}

test("every metric that deploy/ and README name is there, and named as its type asks", () => {
  let count = 0;
  for (const file of [...files(path.join(root, "deploy")).filter((f) => !f.endsWith("metrics.md")), path.join(root, "README.md")]) {
    for (const [name] of readFileSync(file, "utf8").matchAll(/\b(?:taskwire|process)_[a-z_]*[a-z]\b/g)) {
      const family = name.replace(/_(total|bucket|sum|count)$/, ""), row = table.get(family) ?? table.get(name);
      assert.ok(row, `${path.relative(root, file)} names ${name}, which is no metric`);
      const suffix = name.slice((table.has(name) ? name : family).length);
      const fits = { counter: ["_total"], histogram: ["_bucket", "_sum", "_count"], gauge: [""] }[row.type];
      assert.ok(fits.includes(suffix), `${path.relative(root, file)}: ${name} is a ${row.type}`);
      count++;
    }
  }
  assert.ok(count > 60, String(count));
});
