// openapi.test.mjs - proto/openapi.yaml against the table of routes, the registry, and the
// services as they run: none of them may drift from the others.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { Stack, build, root, until } from "../harness.mjs";
import { cache, venv } from "../../venv.mjs";

const here = path.join(root, "tests/integration/taskd/openapi");
const file = path.join(root, "proto/openapi.yaml");
const doc = parse(readFileSync(file, "utf8"));
const read = (name) => readFileSync(path.join(root, name), "utf8");

/** [{name: "GET /api/tasks/{id}", op, parameters, answeredBy}] */
const operations = Object.entries(doc.paths).flatMap(([p, item]) => Object.entries(item)
  .filter(([method]) => ["get", "put", "post", "delete", "patch"].includes(method))
  .map(([method, op]) => ({
    name: `${method.toUpperCase()} ${p}`, op,
    parameters: [...item.parameters || [], ...op.parameters || []].map(resolve),
    answeredBy: op["x-answered-by"] || ["gateway", "taskd"],
  })));

function resolve(value) {
  return value?.$ref ? resolve(value.$ref.slice(2).split("/").reduce((at, key) => at[key], doc)) : value;
}

/** The rows of api_routes.c, without what gateways alone may ask. */
const routes = [...read("taskd/api_routes.c").matchAll(/\{ HTTP_(\w+),\s*"([^"]+)",\s*ROUTE_(\w+),\s*([\w |]+?),\s*on_\w+ \}/g)]
  .map(([, method, p, auth, flags]) => ({ name: `${method} ${p.replace(/:(\w+)/g, "{$1}")}`, method, auth, flags: flags.split(/\s*\|\s*/) }))
  .filter(({ auth }) => auth !== "CLUSTER");

test("the document has the routes that taskd has", () => {
  assert.equal([...read("taskd/api_routes.c").matchAll(/\{ HTTP_/g)].length, routes.length + [...read("taskd/api_routes.c").matchAll(/ROUTE_CLUSTER/g)].length, "every row is understood");
  const described = operations.filter(({ answeredBy }) => answeredBy.includes("taskd")).map(({ name }) => name);
  assert.deepEqual(described.sort(), routes.map(({ name }) => name).sort());
  assert.equal(new Set(operations.map(({ op }) => op.operationId)).size, operations.length);
});

test("it says of each what the table says", () => {
  for (const { name, method, auth, flags } of routes) {
    const { op, parameters } = operations.find((o) => o.name === name);
    const security = (op.security || doc.security).map((s) => Object.keys(s)[0]);
    assert.deepEqual(security, { OPEN: [], SIGNED: ["signature"], USER: ["bearer"], ADMIN: ["bearer"] }[auth], name);
    assert.equal("401" in op.responses, auth !== "OPEN", name);
    assert.ok("503" in op.responses || auth === "OPEN", name);
    if (auth === "ADMIN") assert.ok("403" in op.responses, name);
    const isKeyed = flags.includes("ROUTE_KEYED");
    assert.equal(parameters.some((p) => p.name === "Idempotency-Key"), isKeyed, name);
    if (["POST", "PATCH"].includes(method) && auth !== "SIGNED") assert.ok(isKeyed, `${name}: SPEC R, on every POST and PATCH`);
    const hasBody = flags.includes("ROUTE_BODY");
    assert.equal(Boolean(op.requestBody), hasBody || auth === "SIGNED", name);
    for (const status of hasBody ? ["400", "411", "413", "415", "422"] : []) assert.ok(status in op.responses, `${name}: ${status}`);
    for (const [, p] of name.matchAll(/\{(\w+)\}/g)) assert.ok(parameters.some((q) => q.in === "path" && q.name === p), `${name}: ${p}`);
  }
});

test("it knows every code of an error", () => {
  const codes = [...read("proto/errors.def").matchAll(/^ERROR\(\w+,\s*"(\w+)"/gm)].map((m) => m[1]);
  assert.deepEqual(doc.components.schemas.ErrorCode.enum.toSorted(), codes.toSorted());
});

/** A schema as the generator writes them: parts in place, no words, null of an optional field left out. */
function plain(schema) {
  const s = resolve(schema);
  if (Array.isArray(s)) return s.map(plain);
  if (typeof s !== "object" || s === null) return s;
  if (s.anyOf?.length === 2 && s.anyOf[1].type === "null") return plain(s.anyOf[0]);
  return Object.fromEntries(Object.entries(s)
    .filter(([key, value]) => !["$schema", "$id", "$comment", "examples", "anyOf"].includes(key) && !(["title", "description"].includes(key) && typeof value === "string"))
    .map(([key, value]) => [key, key === "type" && Array.isArray(value) ? value[0] : plain(value)]));
}

test("its schemas are the registry's, field by field", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "taskwire-openapi-"));
  execFileSync(path.join(build, "bin/protogen"), [folder]);
  const generated = new Map();
  for (const name of readdirSync(path.join(folder, "schemas"))) {
    const schema = JSON.parse(readFileSync(path.join(folder, "schemas", name), "utf8"));
    generated.set(schema.title, schema);
    for (const part of Object.values(schema.properties)) for (const s of [part, part.items]) if (s?.title) generated.set(s.title, s);
  }
  rmSync(folder, { recursive: true });
  const shared = Object.values(doc.components.schemas).filter(({ title }) => /^[a-z_:]+$|^[A-Z]\w+$/.test(title || ""));
  assert.ok(shared.length >= 8);
  for (const schema of shared) {
    assert.ok(generated.has(schema.title), schema.title);
    assert.deepEqual(plain(schema), plain(generated.get(schema.title)), schema.title);
  }
});

// --- the services as they run ---

let stack, tools;
before(async () => {
  const requirements = path.join(here, "requirements.txt");
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  tools = await venv(path.join(cache, `schemathesis-${hash}`), requirements)
    .catch((error) => ({ reason: `schemathesis could not be installed: ${String(error.stderr || error).slice(0, 300)}` }));
  if (tools.reason) return;
  stack = await Stack.start({ gateways: 1, taskdEnv: { GITHUB_WEBHOOK_SECRET: "a secret that nobody is told" } });
}, { timeout: 360_000 });
after(() => stack?.stop());

const who = () => ({ base: stack.taskdUrl, token: stack.token("tester", "openapi", { roles: ["admin"] }) });

/** Tasks to meet, some of which ask a question; and something for every list. */
async function furnish() {
  const made = (text, count) => Promise.all(Array.from({ length: count }, (_, i) => stack.createTask({ description: `${text} ${i}`, repo: "acme/house" }, who())));
  const open = await made("Open", 6), asking = await made("Asking", 6);
  for (const id of asking) {
    await stack.publish("analyzing", id);
    await stack.publish("clarification_needed", id, { questions: ["Which door?"] });
  }
  const pr = { prNumber: 7, prUrl: "https://github.com/acme/house/pull/7", prTitle: "Blue", prState: "open" };
  await stack.publish("dispatched", open[0], { issueNumber: 6, issueUrl: "https://github.com/acme/house/issues/6", githubBranch: "blue" });
  await stack.publish("pr_opened", open[0], pr);
  for (let i = 0; i < 3; i++) await stack.redisCall("XADD", "tasks:ingest", "*", "event", "no JSON");
  await until("all of it has happened", async () => (await stack.call("GET", `/api/tasks/${asking.at(-1)}`, who())).body.status === "needs_clarification"
    && (await stack.call("GET", `/api/tasks/${open[0]}`, who())).body.status === "pr_open"
    && (await stack.call("GET", "/api/admin/dead-letters", who())).body.count === 3);
  return { TASKWIRE_OPEN_TASKS: open.join(" "), TASKWIRE_ASKING_TASKS: asking.join(" ") };
}

/** Run it; throws with all it has to say where anything differs. */
async function schemathesis(url, env, args) {
  const argv = ["--config-file", path.join(here, "schemathesis.toml"), "run", file, ...args];
  if (process.env.TASKWIRE_SANITIZED) argv.push("--max-examples", "8");
  const run = await new Promise((done) => {
    execFile(path.join(path.dirname(tools.python), "st"), argv, {
      cwd: stack.folder, timeout: 170_000, maxBuffer: 1 << 26,
      env: { ...process.env, ...env, TASKWIRE_URL: url, TASKWIRE_TOKEN: who().token, TASKWIRE_HOOKS: path.join(here, "hooks.py"), PYTHONDONTWRITEBYTECODE: "1" },
    }, (error, stdout, stderr) => done({ error, text: stdout + stderr }));
  });
  assert.ok(!run.error, run.text.slice(-20_000));
  return run.text;
}

const only = (name) => operations.filter(({ answeredBy }) => answeredBy.includes(name)).map(({ op }) => op.operationId);
const include = (ids) => ids.flatMap((id) => ["--include-operation-id", id]);

test("schemathesis finds no difference between the document and taskd", async (t) => {
  if (tools.reason) return t.skip(tools.reason);
  const text = await schemathesis(stack.taskdUrl, await furnish(), include(only("taskd")));
  const [, generated, passed] = text.match(/(\d+) generated, (\d+) passed/);
  assert.equal(generated, passed);
  assert.ok(Number(passed) > 500, text);
});

test("nor between it and a gateway, in what a gateway answers itself", async (t) => {
  if (tools.reason) return t.skip(tools.reason);
  const own = operations.filter(({ op }) => op["x-answered-by"]?.includes("gateway") && !op["x-endless"]).map(({ op }) => op.operationId);
  await schemathesis(stack.url, {}, [...include(own), "--max-examples", "5", "--phases", "coverage,fuzzing"]);
});
