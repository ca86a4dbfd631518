// lives.mjs - tasks as internal services move them: the inputs of a task's life in their order,
// and GitHub's webhooks.
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import net from "node:net";
import { until } from "../integration/harness.mjs";

export const GITHUB_SECRET = "a secret of GitHub's";
export const SHA = "0123456789abcdef0123456789abcdef01234567";
export const QUESTIONS = ["Which blue?", "Both sides?"];

/** What each input says, for the `n`th task. */
export const says = {
  analyzing: () => ({}),
  llm_response: () => ({ taskType: "code_change", summary: "Two files, a small change." }),
  clarification_needed: () => ({ questions: QUESTIONS }),
  dispatched: (n) => ({ issueNumber: n, issueUrl: `https://github.com/acme/shop/issues/${n}`, githubBranch: `task/${n}` }),
  coding: () => ({}),
  pr_opened: (n) => ({ prNumber: n + 1, prUrl: `https://github.com/acme/shop/pull/${n + 1}`, prTitle: "Paint it", prState: "open" }),
  pr_merged: () => ({ mergeCommitSha: SHA, mergedAt: "2026-11-21T02:16:00.000Z" }),
  pr_closed: (n) => ({ prNumber: n + 1 }),
  failed: () => ({ errorMessage: "The agent ran out of time." }),
  note: () => ({ text: "Half of it is done." }),
};

export async function move(stack, taskId, inputs, n = 42) {
  for (const input of inputs) await stack.publish(input, taskId, says[input](n));
}

/** Many events at once, in their order, on one connection. */
export async function publishAll(stack, events) {
  const link = net.connect(stack.redisPort, "127.0.0.1");
  link.setEncoding("latin1");
  let answers = 0;
  const done = new Promise((resolve, reject) => {
    link.on("error", reject);
    link.on("data", (text) => { if ((answers += (text.match(/^\$/gm) ?? []).length) >= events.length) resolve(); });
  });
  for (const event of events) link.write(`*5\r\n$4\r\nXADD\r\n$12\r\ntasks:ingest\r\n$1\r\n*\r\n$5\r\nevent\r\n$${Buffer.byteLength(event)}\r\n${event}\r\n`);
  await done;
  link.end();
}

export const taskOf = async (stack, taskId, options) => (await stack.call("GET", `/api/tasks/${taskId}`, options)).body;

export function reaches(stack, taskId, status, options) {
  return until(`the task is ${status}`, async () => {
    const task = await taskOf(stack, taskId, options);
    return task.status === status && task;
  }, { ms: 60_000 });
}

export const make = (stack, title, { sub = "ann", ...body } = {}) =>
  stack.createTask({ description: title, ...body }, { token: stack.token(sub, "acme", { name: sub[0].toUpperCase() + sub.slice(1) }) });

/** A pull request of acme/shop as GitHub tells of it. */
export async function github(stack, action, n, more = {}) {
  const repo = { id: 1, full_name: "acme/shop", fork: false };
  const body = JSON.stringify({
    action, number: n + 1, repository: { full_name: "acme/shop" }, sender: { login: "agent[bot]" },
    pull_request: {
      number: n + 1, html_url: `https://github.com/acme/shop/pull/${n + 1}`, state: "open", title: "Paint it", body: null, draft: false,
      merged: false, merged_at: null, merge_commit_sha: null, user: { login: "agent[bot]" }, labels: [],
      head: { ref: `task/${n}`, sha: SHA, repo }, base: { ref: "main", sha: SHA, repo }, ...more,
    },
  });
  const answer = await fetch(`${stack.url}/api/webhooks/github`, {
    method: "POST", body,
    headers: { "Content-Type": "application/json", "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": randomUUID(),
      "X-Hub-Signature-256": `sha256=${createHmac("sha256", GITHUB_SECRET).update(body).digest("hex")}` },
  });
  assert.ok(answer.status === 202 || answer.status === 200, `${action}: ${answer.status} ${await answer.text()}`);
}
