// terminal.test.mjs - what a person sees: colours on a terminal alone, tables that fit it, and no text of
// anybody's that steers it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, until } from "../harness.mjs";
import { onTerminal, run, seen, taskctl } from "./terminal.mjs";

let stack, env, evil;
before(async () => {
  stack = await Stack.start({ gateways: 1 });
  env = { TASKD_URL: stack.taskdUrl, REDIS_URL: stack.redisUrl, JWT_SECRET: stack.secret };
  const of = { token: stack.token("ann", "colours") };
  const make = (title) => stack.createTask({ description: title, title }, of);
  const issue = { issueNumber: 12345, issueUrl: "https://github.com/acme/house/issues/12345", githubBranch: "blue" };
  const lives = { received: [], analyzing: [["analyzing"]], needs_clarification: [["analyzing"], ["clarification_needed", { questions: ["Which?"] }]],
    dispatched: [["dispatched", issue]], coding: [["dispatched", issue], ["coding"]],
    pr_open: [["dispatched", issue], ["pr_opened", { prNumber: 7, prUrl: "https://github.com/acme/house/pull/7" }]],
    merged: [["dispatched", issue], ["pr_merged", { mergeCommitSha: "abc" }]], failed: [["failed", { errorMessage: "No" }]] };
  for (const [status, steps] of Object.entries(lives)) {
    const id = await make(`A task that is ${status}, with a title that is long enough to be cut on most terminals`);
    for (const [type, data] of steps) await stack.publish(type, id, data);
    await until(status, async () => (await stack.call("GET", `/api/tasks/${id}`, of)).body.status === status);
  }
  await make("日本語のタイトルはとても長いので切られます、間違いなく切られます、絶対に");
  // Everything that a terminal could take for an order: clear, title, colour, C1, a bare CR, bells, and text that turns round.
  evil = await make("safe \u001b[2J\u001b]0;owned\u0007 \u009b31m \u0007 \u007f \r overwritten \u202e desrever");
});
after(() => stack.stop());

const list = (options = {}, ...args) => onTerminal(["list", "--org", "colours", ...args], { env, ...options });
const SGR = /\x1b\[[0-9;]*m/;
/** Columns that a text takes: East Asian characters twice. */
const width = (text) => [...text].reduce((n, c) => n + (/[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/.test(c) ? 2 : 1), 0);

test("statuses have their colours on a terminal", async () => {
  const { code, screen } = await list({ columns: 200 });
  assert.equal(code, 0);
  const colours = { received: "33", analyzing: "33", needs_clarification: "1;33", dispatched: "32", coding: "36", pr_open: "34", merged: "34", failed: "31" };
  for (const [status, sgr] of Object.entries(colours)) assert.ok(screen.includes(`\x1b[${sgr}m${status}\x1b[0m`), status);
  assert.ok(screen.includes("\x1b[1mSTATUS\x1b[0m"));
});

test("and nowhere else, unless they are asked for", async () => {
  const piped = async (more, ...args) => (await run([taskctl, "list", "--org", "colours", ...args], { env: { ...env, ...more } })).out;
  assert.doesNotMatch(await piped(), SGR);
  assert.match(await piped({}, "--color", "always"), SGR);
  assert.match(await piped({ NO_COLOR: "1" }, "--color=always"), SGR);
  assert.doesNotMatch((await list({}, "--color", "never")).screen, SGR);
  assert.doesNotMatch((await list({ env: { ...env, NO_COLOR: "1" } })).screen, SGR);
  assert.doesNotMatch((await list({ env: { ...env, TERM: "dumb" } })).screen, SGR);
  assert.match((await list({ env: { ...env, NO_COLOR: "" } })).screen, SGR);
  for (const format of ["json", "ndjson"]) assert.doesNotMatch((await list({}, "-o", format)).screen, /\x1b/);
});

test("a table fits the terminal, however narrow, and is not cut where there is none", async () => {
  for (const columns of [300, 120, 80, 60, 45, 40, 30, 20, 10, 3, 1]) {
    const { screen } = await list({ columns });
    const lines = seen(screen);
    assert.equal(lines.length, 11, `${columns} columns`);
    for (const line of lines) assert.ok(width(line) <= columns, `${columns} columns: ${line}`);
  }
  const wide = (await run([taskctl, "list", "--org", "colours"], { env })).out;
  assert.ok(wide.includes("A task that is merged, with a title that is long enough to be cut on most terminals\n"));
  assert.ok(wide.includes("絶対に\n"));
});

test("columns stay aligned whatever is in them", async () => {
  const lines = seen((await list({ columns: 110 })).screen);
  const at = lines[0].indexOf("TITLE");
  assert.ok(at > 60);
  for (const line of lines.slice(1)) assert.ok(line[at - 1] === " " && line[at - 2] === " " && line[at] !== " ", line);
  assert.ok(lines.some((l) => /日本語.*…$/.test(l)));
});

test("what is optional goes first, then titles shrink, and ids stay whole as long as they can", async () => {
  const title = (lines) => lines[0];
  assert.match(title(seen((await list({ columns: 120 })).screen)), /^ID +STATUS +SINCE +AGE +CREATOR +ISSUE +PR +TITLE$/);
  assert.match(title(seen((await list({ columns: 64 })).screen)), /^ID +STATUS +SINCE +TITLE$/);
  assert.match(seen((await list({ columns: 64 })).screen)[1], /^[0-9a-f]{24} /);
});

test("nothing in a title steers the terminal: table, timeline, JSON", async () => {
  for (const args of [["list", "--org", "colours"], ["get", evil], ["list", "--org", "colours", "-o", "json"], ["get", evil, "-o", "ndjson"], ["watch", evil, "--after", "0", "--until", "received"]]) {
    const { code, screen } = await onTerminal(args, { env, columns: 250 });
    assert.equal(code, 0);
    const rest = screen.replaceAll(new RegExp(SGR, "g"), "").replaceAll("\r\n", "\n");
    assert.doesNotMatch(rest, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, args.join(" "));
    if (!args.includes("-o")) assert.doesNotMatch(rest, /[\u202a-\u202e\u2066-\u2069]/, args.join(" "));
    assert.ok(rest.includes("safe"), args.join(" "));
  }
  const { title } = JSON.parse((await run([taskctl, "get", evil, "-o", "json"], { env })).out);
  assert.ok(title.includes("\u001b[2J") && title.includes("\u009b31m") && title.includes("\u202e"), "for programs it is what it is");
});

test("an error of anybody's is cleaned, too", async () => {
  const { code, err } = await run([taskctl, "get", "\u001b[31mred\u0007"], { env });
  assert.equal(code, 3);
  assert.doesNotMatch(err, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});

test("help is as wide as the terminal", async () => {
  for (const columns of [60, 80, 200]) {
    const { screen } = await onTerminal(["help", "doctor"], { env, columns });
    const text = seen(screen).filter((l) => !l.startsWith("  taskctl ") && !l.startsWith("usage:"));
    for (const line of text) assert.ok(line.length <= Math.min(columns, 100), `${columns}: ${line}`);
  }
});

test("words for a person go to standard error, and only when a person looks", async () => {
  const empty = await onTerminal(["list", "--org", "nobody"], { env });
  assert.equal(seen(empty.screen).join(), "taskctl: no tasks");
  assert.match((await list({}, "--limit", "2")).screen, /there are more: --all, or another --limit/);
  assert.equal((await run([taskctl, "list", "--org", "colours", "--limit", "2"], { env })).err, "");
});

test("get wraps long values under themselves", async () => {
  const { screen } = await onTerminal(["get", evil, "--no-timeline"], { env, columns: 50 });
  for (const line of seen(screen)) assert.ok(width(line) <= 50 || /^\S+:\s+\S+$/.test(line), line);
});
