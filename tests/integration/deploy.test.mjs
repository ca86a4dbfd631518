// What deploy/ says, tried: both proxies in front of three gateways, one of which is drained; every
// setting in env.example; units that systemd takes; images with the libraries that are needed;
// and no file that names a setting which is none.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Watcher } from "../chaos/watcher.mjs";
import { Stack, build, freePort, root, sleep, until } from "./harness.mjs";

const exec = promisify(execFile), text = (file) => readFileSync(path.join(root, "deploy", file), "utf8");

function files(folder) {
  return readdirSync(folder).flatMap((f) => {
    const full = path.join(folder, f);
    return statSync(full).isDirectory() ? files(full) : [full];
  });
}

// --- proxies ---

/** nginx.conf names addresses; those of this test take their places, and its folders are ours. */
async function startNginx(stack) {
  const folder = path.join(stack.folder, "nginx"), conf = path.join(folder, "nginx.conf");
  await mkdir(folder);
  return stack.startDeployed("nginx", ["nginx", "-p", folder, "-c", conf, "-g", "daemon off;"], (port) => {
    let config = text("nginx/nginx.conf");
    for (const [from, to] of [...stack.gateways.map((g, i) => [`gateway${i + 1}:3000`, new URL(g.url).host]), ["listen 8080;", `listen 127.0.0.1:${port};`],
      ["worker_processes auto;", `worker_processes 1; pid ${folder}/pid;`], ["worker_connections 20000;", "worker_connections 500;"],
      ["access_log off;", ["access_log off;", ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((n) => `${n}_temp_path ${folder}/${n};`)].join(" ")]]) {
      assert.ok(config.includes(from), from);
      config = config.replace(from, to);
    }
    writeFileSync(conf, config);
    return {};
  });
}

/** Who answers: health for all replicas begins with the one that was asked. */
async function answeredBy(front) {
  const answer = await fetch(`${front}/api/health?cluster=1`), said = await answer.text();
  assert.equal(answer.status, 200, said);
  return JSON.parse(said).replicas[0].id;
}

async function shares(front, count) {
  const seen = {};
  for (let i = 0; i < count; i++) { const id = await answeredBy(front); seen[id] = (seen[id] ?? 0) + 1; }
  return seen;
}

/** Clients that this gateway could not bring back as what they were, since Redis was too slow for it. */
const unavailable = async (gateway) => Number(/^taskwire_recoveries_total\{outcome="unavailable"\} (\d+)$/m
  .exec(await (await fetch(`http://127.0.0.1:${gateway.metrics}/metrics`)).text())[1]);

/** Somebody who makes tasks all the time, and says something new in the task `taskId`. */
class Busy {
  constructor(stack, front, taskId) {
    Object.assign(this, { failures: [], notes: 0, made: 0 });
    this.ended = this.#run(stack, front, taskId);
  }
  async #run(stack, front, taskId) {
    for (; !this.isStopped; await sleep(50)) {
      const { status } = await stack.call("POST", "/api/tasks", { base: front, body: { description: "More" } }).catch((error) => ({ status: String(error.cause ?? error) }));
      this.made++;
      if (status !== 202) this.failures.push(status);
      await stack.publish("note", taskId, { text: String(++this.notes) });
    }
  }
  stop() { this.isStopped = true; return this.ended; }
}

for (const [name, start] of [["HAProxy", (stack) => stack.startBalancer({ deployed: true })], ["nginx", startNginx]]) {
  test(`${name}: round robin over three gateways without stickiness, and one is drained without anybody noticing`, async () => {
    const stack = await Stack.start({ gateways: 0, gatewayEnv: { DRAIN_NOTICE_SECONDS: "3", DRAIN_SECONDS: "2" } });
    let busy, people = [];
    try {
      for (let i = 0; i < 3; i++) {
        const metrics = await freePort();
        (await stack.startGateway({ METRICS_PORT: String(metrics) })).metrics = metrics;
      }
      const ids = await Promise.all(stack.gateways.map((g) => answeredBy(g.url))), front = await start(stack);
      await until("all three take their turns", async () => {
        const seen = await shares(front, 9);
        return ids.every((id) => seen[id] === 3);
      }, { ms: 30_000 });
      const taskId = await stack.createTask({ description: "Behind a proxy" }, { base: front });
      people = [["websocket"], ["polling"], ["polling", "websocket"], ["websocket"], ["polling"], ["websocket"]]
        .map((transports, i) => new Watcher({ name: `p${i}`, base: front, token: stack.token(`p${i}`), transports, tasks: [taskId] }));
      const reports = () => people.map((p) => p.report()), sum = (field) => reports().reduce((all, r) => all + r[field], 0);
      await until("everybody has the task", () => reports().every((r) => r.tasks[0].seq > 0), { ms: 60_000 });
      busy = new Busy(stack, front, taskId);
      const [leaving] = stack.gateways.splice(0, 1), ended = leaving.stop(60_000), staying = ids.slice(1);
      if (name === "HAProxy") await until("it is sent nobody while it still serves", async () => !Object.keys(await shares(front, 6)).includes(ids[0]), { ms: 30_000 });
      assert.deepEqual(await ended, { code: 0, signal: null });
      for (let round = 0; round < 3; round++) assert.deepEqual(Object.keys(await shares(front, 6)).filter((id) => !staying.includes(id)), []);
      await busy.stop();
      await until("everybody heard the last note", () => reports().every((r) => r.isConnected && r.tasks[0].seq === busy.notes + 1), { ms: 60_000 });
      assert.deepEqual(reports().flatMap((r) => r.problems), [], "each once, in order");
      assert.deepEqual(busy.failures, [], `of ${busy.made}`);
      const came = sum("connects") - people.length, slow = (await Promise.all(stack.gateways.map(unavailable))).reduce((a, b) => a + b);
      assert.ok(sum("recovered") + sum("seatless") + slow >= came, `${came} came back, ${sum("recovered")} as who they were`);
    } finally {
      await busy?.stop();
      for (const p of people) p.close();
      await stack.stop();
    }
  });
}

test("HAProxy sends to gateways that live where none is ready", async () => {
  const stack = await Stack.start({ gateways: 3 });
  try {
    const front = await stack.startBalancer({ deployed: true }), page = () => fetch(`${front}/`).then((r) => r.status);
    const client = await stack.connect({ base: front });
    stack.redis.signal("SIGSTOP");
    try {
      await until("none is ready", async () => (await Promise.all(stack.gateways.map((g) => fetch(`${g.url}/api/health/ready`)))).every((r) => r.status === 503), { ms: 30_000 });
      await until("HAProxy knows", async () => (await fetch(`${front}/api/health/ready`)).status === 503, { ms: 30_000 });
      for (let i = 0; i < 6; i++) assert.equal(await page(), 200);
      assert.ok(client.connected);
    } finally {
      stack.redis.signal("SIGCONT");
    }
    await until("they are ready again", async () => (await fetch(`${front}/api/health/ready`)).status === 200, { ms: 30_000 });
  } finally {
    await stack.stop();
  }
});

// --- settings ---

/** What a service says of its settings: name -> default. */
const settings = async (service) => new Map((await exec(path.join(build, "bin", service), ["--settings"])).stdout.trim().split("\n")
  .map((line) => line.split("\t")).map(([name, fallback]) => [name, fallback]));

test("env.example has every setting of both services with its default, and no other", async () => {
  const sections = Object.fromEntries(text("env.example").split(/^# --- (\w+) ---$/m).slice(1).reduce((pairs, part, i, all) => (i % 2 ? [...pairs, [all[i - 1], part]] : pairs), []));
  assert.deepEqual(Object.keys(sections), ["both", "gateway", "taskd"]);
  const rows = (section) => new Map([...section.matchAll(/^#([A-Z0-9_]+)=(.*)$/gm)].map((m) => [m[1], m[2]]));
  for (const [, section] of Object.entries(sections)) for (const block of section.trim().split("\n\n")) assert.match(block, /^# .+\n#[A-Z]/, "each has a line that says what it is");
  for (const service of ["gateway", "taskd"]) {
    const said = await settings(service), listed = new Map([...rows(sections.both), ...rows(sections[service])]);
    const secrets = [...listed.keys()].filter((name) => listed.has(`${name}_FILE`));
    for (const name of secrets) { assert.equal(said.get(name), ""); listed.delete(`${name}_FILE`); }
    assert.deepEqual([...listed].sort(), [...said].sort(), service);
  }
});

test("no file of deploy/ sets what is no setting", async () => {
  const known = new Set([...(await settings("gateway")).keys(), ...(await settings("taskd")).keys()]);
  const also = new Set(["PATH", "VERSION"]);
  let count = 0;
  const check = (file, name) => {
    count++;
    assert.ok(known.has(name) || also.has(name) || (name.endsWith("_FILE") && known.has(name.slice(0, -5))), `${file} sets ${name}`);
  };
  for (const file of ["gateway.Dockerfile", "taskd.Dockerfile"]) {
    for (const [, line] of text(file).matchAll(/^(?:ENV|ARG) (.*)$/gm)) for (const [, name] of line.matchAll(/([A-Z_]+)=/g)) check(file, name);
  }
  for (const [, name] of text("compose.yaml").matchAll(/^ {4}([A-Z_]+): /gm)) check("compose.yaml", name);
  for (const [, name] of text("k8s/taskwire.yaml").matchAll(/- \{ name: ([A-Z_]+), value/g)) check("k8s/taskwire.yaml", name);
  for (const unit of ["gateway", "taskd"]) {
    for (const [, line] of text(`systemd/taskwire-${unit}@.service`).matchAll(/^Environment=(.*)$/gm)) for (const [, name] of line.matchAll(/([A-Z_]+)=/g)) check(unit, name);
  }
  assert.ok(count > 30, String(count));
});

// --- units, images ---

test("systemd takes the units, and finds little to reproach them with", async (t) => {
  if (!(await exec("systemd-analyze", ["--version"]).catch(() => null))) return t.skip("no systemd-analyze here");
  const folder = path.join(build, "units");
  await mkdir(folder, { recursive: true });
  for (const unit of ["gateway", "taskd"]) {
    const service = path.join(folder, `taskwire-${unit}@3000.service`), socket = path.join(folder, `taskwire-${unit}@3000.socket`);
    await writeFile(service, text(`systemd/taskwire-${unit}@.service`).replaceAll("/usr/lib/taskwire/bin", path.join(build, "bin")));
    await writeFile(socket, text(`systemd/taskwire-${unit}@.socket`));
    const { stdout, stderr } = await exec("systemd-analyze", ["verify", "--recursive-errors=no", service, socket]);
    assert.equal(stdout + stderr, "");
    await exec("systemd-analyze", ["security", "--offline=true", "--threshold=20", service]);   // of 100; fails above
  }
});

test("images have the libraries that the programs need", async (t) => {
  if (!existsSync("/etc/debian_version") || !readFileSync("/etc/debian_version", "utf8").startsWith("12.")) return t.skip("package names are those of Debian 12");
  if (process.env.TASKWIRE_SANITIZED) return t.skip("a sanitized build needs others");
  const images = [["gateway", ["gateway"]], ["taskd", ["taskd", "taskctl"]]], needs = new Map();
  for (const program of images.flatMap(([, programs]) => programs)) {
    const { stdout } = await exec("readelf", ["-d", path.join(build, "bin", program)]);
    needs.set(program, [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((m) => m[1]));
  }
  // dpkg reads its whole database for a question, so there is one.
  const { stdout: said } = await exec("dpkg", ["-S", ...new Set([...needs.values()].flat().map((library) => `*/${library}`))]);
  const owners = said.trim().split("\n").map((line) => /^([^:]+).*: (\S+)$/.exec(line)).filter(Boolean);
  for (const [image, programs] of images) {
    const runtime = text(`${image}.Dockerfile`).split(/^FROM /m).at(-1);
    const installed = new Set(/install -y --no-install-recommends \\\n([^&]*)/.exec(runtime)[1].split(/[\s\\]+/).filter(Boolean));
    for (const program of programs) {
      assert.ok(needs.get(program).length > 5);
      for (const library of needs.get(program)) {
        const packages = owners.filter(([, , file]) => path.basename(file) === library).map(([, name]) => name);
        assert.ok(packages.some((p) => installed.has(p) || p === "libc6"), `${image}'s image lacks ${library} of ${packages}`);
      }
    }
  }
});

test("the Debian package holds what runs, needs what it links, and what it holds runs", async (t) => {
  if (!(await exec("dpkg-deb", ["--version"]).catch(() => null))) return t.skip("no dpkg-deb here");
  const deb = path.join(build, "test.deb"), folder = await mkdtemp(path.join(os.tmpdir(), "taskwire-deb-"));
  try {
    await exec(path.join(root, "deploy/debian/build.sh"), [build, "1-2-gabc-dirty", deb], { timeout: 120_000 });
    const field = async (name) => (await exec("dpkg-deb", ["--field", deb, name])).stdout.trim();
    assert.equal(await field("Version"), "0+git.1.2.gabc.dirty");
    assert.doesNotMatch(await field("Depends"), /i386|x32|-dev|-cross/, "nor anything else");
    for (const needed of ["libuv1", "libhiredis0.14", "libwslay1", "libmongoc-1.0-0", "libsqlite3-0", "libc6"]) assert.match(await field("Depends"), new RegExp(`(^|, )${needed} \\(>= `));
    await exec("dpkg-deb", ["--extract", deb, folder]);
    for (const file of ["usr/lib/taskwire/web/index.html", "usr/lib/systemd/system/taskwire-gateway@.service", "usr/lib/systemd/system/taskwire-taskd@.socket",
      "usr/share/man/man1/taskctl.1.gz", "usr/share/bash-completion/completions/taskctl", "etc/taskwire/gateway.env"]) assert.ok(existsSync(path.join(folder, file)), file);
    const stack = await Stack.start({ gateways: 0 });
    try {
      const gateway = stack.beginGateway(await freePort(), {}, path.join(folder, "usr/lib/taskwire"));
      await stack.ready(gateway, gateway.url);
      assert.match(await (await fetch(`${gateway.url}/`)).text(), /<!doctype html>/i, "the page stands beside it");
      assert.match((await exec(path.join(folder, "usr/bin/taskctl"), ["--help"])).stdout, /taskctl/);
      assert.equal((await gateway.stop()).code, 0);
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("every path that deploy/ and its images speak of is there", () => {
  for (const file of files(path.join(root, "deploy"))) {
    for (const [, name] of readFileSync(file, "utf8").matchAll(/\bdeploy\/([a-zA-Z0-9_./@-]+\.[a-zA-Z]+)\b/g)) {
      if (!name.startsWith("secrets/")) assert.ok(existsSync(path.join(root, "deploy", name)), `${path.relative(root, file)} speaks of deploy/${name}`);
    }
  }
  for (const [, from] of text("compose.yaml").matchAll(/^\s+- \.\/([^:]+):/gm)) assert.ok(existsSync(path.join(root, "deploy", from)), from);
  assert.match(text("railway.toml"), /^healthcheckPath = "\/api\/health"$/m);
});
