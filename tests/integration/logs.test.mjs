// What the logs of a whole life say, at debug: lines that machines read, and nothing that was told in
// confidence: no token, no secret, no text of anybody's.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Stack, ask, sign, until } from "./harness.mjs";

const word = (what) => `${what}-${randomBytes(6).toString("hex")}`;

/** Do a bit of everything, right and wrong; gives what must not be read in any log. */
async function live(stack, password, webhookSecret) {
  const texts = Object.fromEntries(["title", "description", "question", "answer", "note", "error", "comment", "name"].map((t) => [t, word(t)]));
  const tokens = { good: stack.token("ann", "acme", { name: texts.name }), late: stack.token("ann", "acme", { exp: 1 }),
    forged: sign({ sub: "ann", org: "acme", exp: 9999999999 }, word("not-the-secret")), nonsense: word("nonsense") };
  const taskId = await stack.createTask({ title: texts.title, description: texts.description, repo: "acme/shop" }, { token: tokens.good });
  for (const bad of [tokens.late, tokens.forged, tokens.nonsense]) {
    await stack.call("GET", "/api/me", { token: bad });
    await assert.rejects(stack.connect({ token: bad, reconnection: false }));
  }
  const people = [await stack.connect({ token: tokens.good }), await stack.connect({ token: tokens.good, transports: ["polling"] })];
  for (const p of people) {
    await ask(p, "task:join", { taskId });
    await ask(p, "dashboard:join", {});
    await ask(p, "task:join", { taskId: texts.note });
    p.emit("unknown:event", { text: texts.note });
  }
  await stack.publish("analyzing", taskId, {});
  await stack.publish("clarification_needed", taskId, { questions: [texts.question] });
  await until("it is asked", async () => (await stack.call("GET", `/api/tasks/${taskId}`, { token: tokens.good })).body.status === "needs_clarification");
  await stack.call("POST", `/api/tasks/${taskId}/clarify`, { token: tokens.good, body: { answers: [texts.answer] } });
  await stack.call("POST", `/api/tasks/${taskId}/clarify`, { token: tokens.good, body: `{"answers":["${texts.answer}"` });
  await stack.publish("dispatched", taskId, { issueNumber: 7, issueUrl: "https://github.com/acme/shop/issues/7", githubBranch: "b" });
  await stack.publish("dispatched", taskId, { issueNumber: texts.note });
  await stack.redisCall("XADD", "tasks:ingest", "*", "event", `{"note":"${texts.note}"`);
  await stack.publish("failed", taskId, { errorMessage: texts.error });
  await until("two are dead letters", async () => Number(await stack.redisCall("XLEN", "tasks:ingest:dead")) >= 2);
  const hook = JSON.stringify({ action: "created", issue: { number: 7, title: texts.title }, comment: { body: texts.comment, user: { login: "x" }, html_url: "https://github.com/acme/shop/issues/7" }, repository: { full_name: "acme/shop" } });
  for (const key of [webhookSecret, "wrong"]) {
    await stack.call("POST", "/api/webhooks/github", { token: null, body: hook, headers: { "Content-Type": "application/json", "X-GitHub-Event": "issue_comment",
      "X-GitHub-Delivery": word("delivery"), "X-Hub-Signature-256": `sha256=${createHmac("sha256", key).update(hook).digest("hex")}` } });
  }
  await stack.call("POST", "/api/tasks", { token: tokens.good, body: { description: texts.description.repeat(2000) } });
  await stack.call("GET", `/api/tasks?q=${texts.title}`, { token: tokens.good });
  people[0].io.engine.close();
  await until("it is back", () => people[0].connected && people[0].recovered);
  return { ...texts, ...tokens, jwt: stack.secret, cluster: stack.clusterSecret, password, webhookSecret,
    signature: tokens.good.split(".")[2] };
}

function check(line, format) {
  if (format === "json") {
    const o = JSON.parse(line);
    assert.ok(o.time && o.level && o.service && o.event, line);
    return o;
  }
  const m = /^(\S+) level=(debug|info|warn|error) service=(gateway|taskd) event=([\w-]+)((?: [\w]+=(?:"(?:[^"\\]|\\.)*"|[^\s"]+))*)$/.exec(line);
  assert.ok(m, line);
  return { time: m[1], level: m[2], event: m[4] };
}

for (const format of ["kv", "json"]) {
  test(`no secret and nobody's text is in the logs, and every line is ${format}`, async () => {
    const password = word("password"), webhookSecret = word("webhook-secret").padEnd(32, "x"), logs = [];
    const stack = await Stack.start({ gateways: 0 });
    let secrets;
    try {
      await stack.taskd.stop();
      // Redis' default user takes any password.
      const env = { LOG_LEVEL: "debug", LOG_FORMAT: format, REDIS_URL: `redis://default:${password}@127.0.0.1:${stack.redisPort}` };
      stack.taskd = stack.beginTaskd("taskd-debug", stack.taskdPort, { ...env, GITHUB_WEBHOOK_SECRET: webhookSecret });
      await stack.ready(stack.taskd, stack.taskdUrl);
      await stack.startGateway(env);
      logs.push(stack.taskd.log, stack.gateways[0].log);
      secrets = await live(stack, password, webhookSecret);
    } finally {
      for (const c of stack.clients) c.disconnect();
      for (const p of [...stack.gateways, stack.taskd]) assert.equal((await p.stop()).code, 0);
      const texts = await Promise.all(logs.map((log) => readFile(log, "utf8")));
      await stack.stop();
      for (const text of texts) {
        const lines = text.trim().split("\n").map((line) => check(line, format));
        assert.ok(lines.some((l) => l.level === "debug") && lines.length > 5, "it says something");
        for (const [what, secret] of Object.entries(secrets ?? {})) {
          const found = text.split("\n").find((line) => line.includes(secret));
          assert.equal(found, undefined, `a log holds the ${what}`);
        }
      }
    }
  });
}
