// Webhooks of GitHub through a gateway, over each store: signatures, a pull request's life,
// forks, deliveries that come twice, and every example that GitHub's own ones were recorded in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { Stack, root, until } from "./harness.mjs";

const SECRET = "a secret of GitHub's";
const SHA = "0123456789abcdef0123456789abcdef01234567";

/** Post as GitHub does; gives {status, body}. `raw` replaces the body, `signature` the header. */
async function hook(stack, event, payload, { id = randomUUID(), secret = SECRET, raw, signature, type = "application/json", base = stack.url, headers = {} } = {}) {
  const body = raw ?? JSON.stringify(payload);
  const sign = signature ?? `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const answer = await fetch(`${base}/api/webhooks/github`, {
    method: "POST", body,
    headers: { "Content-Type": type, "User-Agent": "GitHub-Hookshot/044aadd", ...(event && { "X-GitHub-Event": event }),
      ...(id && { "X-GitHub-Delivery": id }), ...(sign && { "X-Hub-Signature-256": sign }), ...headers },
  });
  const text = await answer.text();
  let json;
  try { json = JSON.parse(text); } catch { json = text; }
  return { status: answer.status, body: json };
}

/** A pull request of acme/shop as GitHub spells it (the few fields that matter, and some that do not). */
function pull(more = {}) {
  return { number: 43, html_url: "https://github.com/acme/shop/pull/43", state: "open", title: "Paint it", body: null, draft: false,
    merged: false, merged_at: null, merge_commit_sha: null, user: { login: "agent[bot]" },
    head: { ref: "task/42", sha: SHA, repo: { id: 1, full_name: "acme/shop", fork: false } },
    base: { ref: "main", sha: SHA, repo: { id: 1, full_name: "acme/shop" } }, labels: [], ...more };
}
const event = (action, more) => ({ action, number: 43, pull_request: pull(more), repository: { full_name: "acme/shop" }, sender: { login: "agent[bot]" } });

async function dispatched(stack, { repo = "acme/shop", issue = 42, branch = "task/42", body } = {}) {
  const id = await stack.createTask(body);
  await stack.publish("dispatched", id, { issueNumber: issue, issueUrl: `https://github.com/${repo}/issues/${issue}`, githubBranch: branch });
  return id;
}

const state = async (stack, id) => (await stack.call("GET", `/api/tasks/${id}`)).body;
const reaches = (stack, id, what, check) => until(what, async () => {
  const task = await state(stack, id);
  return check(task) && task;
});

async function letters(stack) {
  return Number(await stack.redisCall("XLEN", "tasks:ingest:dead"));
}

for (const store of ["sqlite", "mongo"]) {
  test(`a pull request lives from draft to merge over ${store}`, async () => {
    const stack = await Stack.start({ store, taskdEnv: { GITHUB_WEBHOOK_SECRET: SECRET } });
    try {
      const id = await dispatched(stack);
      const client = await stack.connect();
      await client.emitWithAck("task:join", { taskId: id });
      const said = { user: { login: "bob" }, html_url: "https://github.com/acme/shop/pull/43#c1", body: "Rather blue?" };

      // At once after `dispatched`: the webhook waits for what the stream still holds.
      const opened = await hook(stack, "pull_request", event("opened", { draft: true }));
      assert.deepEqual([opened.status, opened.body], [202, { taskId: id, input: "pr_opened" }]);
      const draft = await reaches(stack, id, "a draft", (t) => t.status === "pr_open");
      assert.deepEqual([draft.prNumber, draft.prState, draft.prTitle, draft.prUrl],
        [43, "draft", "Paint it", "https://github.com/acme/shop/pull/43"]);

      for (const [name, payload, status = 202] of [
        ["pull_request", event("ready_for_review")],
        ["pull_request", event("edited", { title: "Paint it blue" })],
        ["pull_request", event("synchronize", { title: "Paint it blue", head: { ...pull().head, sha: "f".repeat(40) } })],
        ["pull_request_review", { action: "submitted", review: { ...said, body: null, state: "approved" }, pull_request: pull() }],
        ["pull_request_review_comment", { action: "created", comment: said, pull_request: pull() }],
        ["issue_comment", { action: "created", issue: { number: 43, pull_request: {} }, comment: said, repository: { full_name: "acme/shop" } }],
        ["issue_comment", { action: "created", issue: { number: 42 }, comment: { ...said, html_url: "https://github.com/acme/shop/issues/42#c2" }, repository: { full_name: "acme/shop" } }],
        ["pull_request", event("labeled"), 200],
        ["pull_request", event("closed", { state: "closed", merged: true, merged_at: "2026-11-21T02:16:00Z", merge_commit_sha: SHA, title: "Paint it blue" })],
        ["pull_request", event("edited", { state: "closed", title: "Afterwards" }), 200],
      ]) {
        const answer = await hook(stack, name, payload);
        assert.equal(answer.status, status, `${name} ${payload.action}: ${JSON.stringify(answer)}`);
      }
      const merged = await reaches(stack, id, "merged", (t) => t.status === "merged");
      assert.deepEqual([merged.mergeCommitSha, merged.mergedAt, merged.prState, merged.prTitle],
        [SHA, "2026-11-21T02:16:00.000Z", "merged", "Paint it blue"]);
      assert.deepEqual(merged.events.map((e) => e.eventType), ["created", "dispatched", "pr_opened", "pr_updated", "pr_updated", "pr_updated",
        "pr_review", "pr_comment", "pr_comment", "pr_comment", "pr_merged"]);
      assert.deepEqual(merged.events.find((e) => e.eventType === "pr_review").payload, { author: "bob", body: "Approved", url: said.html_url });
      assert.equal(merged.events.at(-1).actor, "/github/acme/shop");
      await until("the viewer saw the merge", () => client.log.some((e) => e.name === "task:pr_merged"));
      assert.deepEqual(client.log.filter((e) => e.name.startsWith("task:pr_")).map((e) => e.name),
        ["task:pr_opened", "task:pr_updated", "task:pr_updated", "task:pr_updated", "task:pr_merged"]);
      const seconds = client.log.find((e) => e.name === "task:pr_merged");
      assert.equal(seconds.payload.mergeCommitSha, SHA);
      assert.equal(await letters(stack), 0);
    } finally {
      await stack.stop();
    }
  });
}

test("closed and reopened; found by branch, by issue or by number; forks and strays left alone", async () => {
  const stack = await Stack.start({ taskdEnv: { GITHUB_WEBHOOK_SECRET: SECRET } });
  try {
    const id = await dispatched(stack);

    // A fork's pull request, whatever it names.
    const fork = { ref: "task/42", sha: SHA, repo: { full_name: "eve/shop", fork: true } };
    const stranger = await hook(stack, "pull_request", event("opened", { head: fork, body: "Fixes #42" }));
    assert.equal(stranger.status, 200);
    assert.match(stranger.body.ignored, /another repository/);
    const gone = await hook(stack, "pull_request", event("opened", { head: { ...fork, repo: null } }));
    assert.match(gone.body.ignored, /another repository/);

    // By the issue it closes, small and capital letters meaning the same.
    const other = { ref: "agent/new", sha: SHA, repo: { full_name: "Acme/Shop" } };
    assert.equal((await hook(stack, "pull_request", event("opened", { head: other, body: "Fixes ACME/shop#42." }))).status, 202);
    await reaches(stack, id, "pr_open", (t) => t.status === "pr_open" && t.prNumber === 43);

    // Another pull request that names the same issue is not the task's; it hurts nobody.
    for (const [action, more] of [["opened", {}], ["edited", {}], ["closed", { state: "closed", merged: true, merged_at: "2026-11-21T02:16:00Z", merge_commit_sha: SHA }]]) {
      const stray = await hook(stack, "pull_request", event(action, { number: 99, head: { ...other, ref: "human" }, body: "closes #42", ...more }));
      assert.equal(stray.status, 200);
      assert.match(stray.body.ignored, /another pull request/);
    }

    // By its number alone: branch and text say nothing any more.
    const renamed = { head: { ...other, ref: "renamed" } };
    assert.equal((await hook(stack, "pull_request", event("closed", { ...renamed, state: "closed" }))).status, 202);
    await reaches(stack, id, "failed", (t) => t.status === "failed" && t.prState === "closed");
    assert.equal((await hook(stack, "pull_request", event("reopened", { ...renamed, draft: true }))).status, 202);
    const again = await reaches(stack, id, "pr_open again", (t) => t.status === "pr_open");
    assert.equal(again.prState, "draft");

    // Unknown places.
    for (const payload of [event("opened", { number: 7, head: { ...other, ref: "elsewhere" } }),
      event("opened", { base: { repo: { full_name: "acme/other" } }, head: { ref: "task/42", repo: { full_name: "acme/other" } } })]) {
      const answer = await hook(stack, "pull_request", payload);
      assert.equal(answer.status, 200);
      assert.match(answer.body.ignored, /no task/);
    }

    // A second attempt on the task's branch after the first was closed.
    const second = await dispatched(stack, { issue: 50, branch: "task/50" });
    const on = (action, number, more) => hook(stack, "pull_request", event(action, { number, html_url: `https://github.com/acme/shop/pull/${number}`, head: { ...pull().head, ref: "task/50" }, ...more }));
    await on("opened", 60);
    await on("closed", 60, { state: "closed" });
    await on("opened", 61);
    const retried = await reaches(stack, second, "the second pull request", (t) => t.prNumber === 61 && t.status === "pr_open");
    assert.equal(retried.prUrl, "https://github.com/acme/shop/pull/61");
    assert.equal(await letters(stack), 0);
  } finally {
    await stack.stop();
  }
});

test("signatures, deliveries, limits and Redis away", async () => {
  const stack = await Stack.start({ taskdEnv: { GITHUB_WEBHOOK_SECRET: SECRET } });
  try {
    const id = await dispatched(stack);
    const ping = { zen: "Design for failure.", hook_id: 1 };

    // Who may.
    for (const [options, what] of [[{ secret: "wrong" }, "another secret"], [{ signature: "" }, "none"],
      [{ signature: "sha256=" }, "empty"], [{ signature: `sha256=${"0".repeat(64)}` }, "zeros"],
      [{ signature: `sha256=${"0".repeat(63)}` }, "odd"], [{ signature: `sha256=${"0".repeat(128)}` }, "long"],
      [{ signature: `sha1=${createHmac("sha1", SECRET).update(JSON.stringify(ping)).digest("hex")}` }, "sha1"]]) {
      const answer = await hook(stack, "ping", ping, options);
      assert.equal(answer.status, 401, what);
      assert.equal(answer.body.code, "bad_signature", what);
    }
    const body = JSON.stringify(ping);
    const good = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
    assert.equal((await hook(stack, "ping", null, { raw: `${body} `, signature: good })).status, 401, "another body");
    assert.equal((await hook(stack, "ping", null, { raw: body, signature: good.toUpperCase().replace("SHA256", "sha256") })).status, 200);
    assert.deepEqual((await hook(stack, "ping", ping)).body, { ok: true });
    const get = await fetch(`${stack.url}/api/webhooks/github`);
    assert.deepEqual([get.status, get.headers.get("allow")], [405, "POST, OPTIONS"]);

    // What may come.
    assert.equal((await hook(stack, "ping", ping, { id: "" })).status, 400);
    assert.equal((await hook(stack, "", ping)).status, 400);
    assert.equal((await hook(stack, "ping", ping, { id: "a b" })).status, 400);
    assert.equal((await hook(stack, "ping", ping, { id: "x".repeat(200) })).status, 400);
    assert.equal((await hook(stack, "ping", ping, { type: "application/x-www-form-urlencoded" })).status, 415);
    assert.equal((await hook(stack, "pull_request", null, { raw: "{" })).status, 400);
    assert.equal((await hook(stack, "pull_request", null, { raw: Buffer.from([0x7b, 0xff, 0x7d]) })).status, 400);
    assert.equal((await hook(stack, "pull_request", event("opened", { html_url: "javascript:alert(1)" }))).status, 422);
    assert.equal((await hook(stack, "pull_request", { action: "opened" })).status, 422);
    for (const base of [stack.url, stack.taskdUrl]) {
      const large = await hook(stack, "pull_request", event("labeled", { body: "x".repeat(4 * 1024 * 1024 - 2000) }), { base });
      assert.equal(large.status, 200, "just below 4 MiB");
      const tooLarge = await hook(stack, "pull_request", event("labeled", { body: "x".repeat(4 * 1024 * 1024) }), { base }).catch((e) => e);
      assert.ok(tooLarge.status === 413 || tooLarge instanceof Error, "above 4 MiB");   // closed while it was sent
    }
    const rest = await stack.call("POST", "/api/tasks", { body: { description: "x".repeat(1_100_000) } }).catch((e) => e);
    assert.ok(rest.status === 413 || rest instanceof Error, "REST keeps its own limit");

    // A delivery that comes again, from GitHub or from somebody who has seen it.
    const delivery = randomUUID();
    const first = await hook(stack, "pull_request", event("opened"), { id: delivery });
    assert.equal(first.status, 202);
    await reaches(stack, id, "pr_open", (t) => t.status === "pr_open");
    for (let i = 0; i < 3; i++) {
      const repeat = await hook(stack, "pull_request", event("opened"), { id: delivery });
      assert.deepEqual([repeat.status, repeat.body], [200, first.body]);
    }
    const comment = { action: "created", issue: { number: 43, pull_request: {} }, repository: { full_name: "acme/shop" },
      comment: { user: { login: "bob" }, body: "\u20ac".repeat(100_000), html_url: "https://github.com/acme/shop/pull/43#c1" } };
    const once = randomUUID();
    const all = await Promise.all(Array.from({ length: 8 }, () => hook(stack, "issue_comment", comment, { id: once })));
    assert.ok(all.every((a) => a.status === 202 || a.status === 200), JSON.stringify(all));
    // The record forgotten, the task still knows it.
    await hook(stack, "issue_comment", comment, { id: randomUUID() });
    const task = await reaches(stack, id, "two comments", (t) => t.events.filter((e) => e.eventType === "pr_comment").length >= 2);
    assert.equal(task.events.filter((e) => e.eventType === "pr_comment").length, 2);
    assert.equal(task.events.filter((e) => e.eventType === "pr_opened").length, 1);
    const text = task.events.at(-1).payload.body;
    assert.equal([...text].length, 4096);
    assert.ok(text.endsWith("\u20ac\u2026"));
    assert.equal(await letters(stack), 0);

    // Redis away: nothing is accepted that could be lost; the same delivery works later.
    const late = randomUUID();
    await stack.redis.kill9();
    const away = await until("taskd noticed", async () => {
      const answer = await hook(stack, "pull_request", event("synchronize"), { id: late });
      return answer.status !== 202 && answer;
    });
    assert.equal(away.status, 503);
    await stack.startRedis();
    const back = await until("accepted again", async () => {
      const answer = await hook(stack, "pull_request", event("converted_to_draft", { draft: true }), { id: randomUUID() });
      return answer.status === 202 && answer;
    });
    assert.equal(back.body.input, "pr_updated");
    await reaches(stack, id, "a draft", (t) => t.prState === "draft");
  } finally {
    await stack.stop();
  }
});

test("without a secret webhooks are refused, signed or not", async () => {
  const stack = await Stack.start({ gateways: 0 });
  try {
    for (const options of [{}, { signature: "" }, { secret: "" }]) {
      const answer = await hook(stack, "ping", {}, { base: stack.taskdUrl, ...options });
      assert.equal(answer.status, 403);
    }
  } finally {
    await stack.stop();
  }
});

test("every example of GitHub's webhooks is answered, and those of pull requests move the task", async () => {
  const folder = path.join(root, "tests/node_modules/@octokit/webhooks-examples");
  const releases = readdirSync(folder, { withFileTypes: true }).filter((d) => d.isDirectory() && d.name !== "node_modules").map((d) => d.name).sort();
  const load = (release) => JSON.parse(readFileSync(path.join(folder, release, "index.json"), "utf8"));
  assert.ok(releases.includes("api.github.com") && releases.length >= 2, releases.join());
  const stack = await Stack.start({ taskdEnv: { GITHUB_WEBHOOK_SECRET: SECRET } });
  try {
    // First those of a life, in order.
    const examples = load("api.github.com");
    const pick = (name, action) => examples.find((e) => e.name === name).examples.find((e) => e.action === action);
    const id = await dispatched(stack, { repo: "Codertocat/Hello-World", issue: 1, branch: "changes" });
    const steps = [
      ["pull_request", "opened", (t) => t.status === "pr_open" && t.prState === "open" && t.prNumber === 2],
      ["pull_request", "converted_to_draft", (t) => t.prState === "draft"],
      ["pull_request", "ready_for_review", (t) => t.prState === "open"],
      ["pull_request", "synchronize", (t) => t.events.at(-1).eventType === "pr_updated"],
      ["pull_request_review", "submitted", (t) => t.events.at(-1).eventType === "pr_review"],
      ["pull_request_review_comment", "created", (t) => t.events.at(-1).eventType === "pr_comment"],
      ["issue_comment", "created", (t) => t.events.at(-1).payload.author === "Codertocat"],
      ["pull_request", "closed", (t) => t.status === "failed" && t.prState === "closed"],
      ["pull_request", "reopened", (t) => t.status === "pr_open" && t.prState === "open"],
    ];
    let seq = (await reaches(stack, id, "dispatched", (t) => t.status === "dispatched")).seq;
    for (const [name, action, check] of steps) {
      const answer = await hook(stack, name, pick(name, action));
      assert.deepEqual([answer.status, answer.body.taskId], [202, id], `${name} ${action}: ${JSON.stringify(answer)}`);
      const at = ++seq;
      await reaches(stack, id, `${name} ${action}`, (t) => t.seq === at && check(t));
    }

    // Then all of them, in whatever order.
    const posts = releases.flatMap((release) => load(release).flatMap(({ name, examples }) => examples.map((example) => ({ release, name, example }))));
    assert.ok(posts.length > 500, `${posts.length} examples`);
    const counts = {};
    let next = 0;
    await Promise.all(Array.from({ length: 8 }, async () => {
      while (next < posts.length) {
        const { release, name, example } = posts[next++];
        const { status, body } = await hook(stack, name, example);
        counts[status] = (counts[status] || 0) + 1;
        assert.ok((status >= 200 && status < 300) || (status >= 400 && status < 500 && body.code), `${release} ${name} ${example.action}: ${status} ${JSON.stringify(body)}`);
        if (name === "ping") assert.deepEqual([status, body], [200, { ok: true }]);
      }
    }));
    assert.ok(counts[202] > 20, JSON.stringify(counts));
    assert.equal((counts[200] || 0) + counts[202], posts.length, JSON.stringify(counts));
    assert.ok((await state(stack, id)).seq > seq);
  } finally {
    await stack.stop();
  }
});
