// timeline.ts - what an event of a timeline says in words, and what its payload shows.
import { safeUrl } from "./links";
import type { Input, Task, TimelineEvent } from "./wire";

/** What happened, as a person reads it. */
export const INPUT_TEXTS: Readonly<Record<Input, string>> = {
  created: "Created",
  analyzing: "Analyzing",
  llm_response: "Understood",
  clarification_needed: "Clarification needed",
  clarification_submitted: "Answered",
  dispatched: "Dispatched",
  coding: "Coding",
  pr_opened: "PR opened",
  pr_updated: "PR updated",
  pr_merged: "PR merged",
  pr_closed: "PR closed",
  failed: "Failed",
  edited: "Edited",
  note: "Note",
  pr_comment: "PR comment",
  pr_review: "PR review",
};

/** One thing that a payload holds: a fact in line, or a text of its own. */
export interface Fact {
  kind: "fact" | "code" | "text" | "list";
  label: string;
  text: string;
  href: string | null;
  items: readonly string[];
}

function fact(kind: Fact["kind"], label: string, text: string, href?: unknown): Fact {
  return { kind, label, text, href: safeUrl(typeof href === "string" ? href : undefined), items: [] };
}

type Payload = TimelineEvent["payload"];

function text(payload: Payload, name: string): string {
  const value = payload[name];
  return typeof value === "string" ? value : "";
}

function texts(payload: Payload, name: string): string[] {
  const value = payload[name];
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
}

function number(payload: Payload, name: string): number | null {
  const value = payload[name];
  return typeof value === "number" ? value : null;
}

const shownByName = new Set([
  "issueNumber", "issueUrl", "githubBranch", "prNumber", "prUrl", "prTitle", "prState", "headSha", "mergeCommitSha",
  "mergedAt", "errorMessage", "taskType", "summary", "text", "author", "body", "url", "questions", "answers", "title",
  "description", "isPrivate",
]);

/** What the task knows of its pull request, for events that only name it. */
export type Pull = Pick<Task, "prNumber" | "prUrl">;

function pullFacts(p: Payload, task: Pull): Fact[] {
  const facts: Fact[] = [];
  const pr = number(p, "prNumber");
  const url = p["prUrl"] ?? (pr === task.prNumber ? task.prUrl : undefined);
  if (pr !== null) facts.push(fact("fact", "Pull request", `PR #${pr}`, url));
  if (text(p, "prState")) facts.push(fact("fact", "State", text(p, "prState")));
  if (text(p, "prTitle")) facts.push(fact("fact", "Title", text(p, "prTitle")));
  if (text(p, "headSha")) facts.push(fact("code", "Head", shortSha(text(p, "headSha"))));
  if (text(p, "mergeCommitSha")) facts.push(fact("code", "Merge commit", shortSha(text(p, "mergeCommitSha"))));
  return facts;
}

function proseFacts(p: Payload): Fact[] {
  const facts: Fact[] = [];
  if (text(p, "taskType")) facts.push(fact("fact", "Kind", text(p, "taskType").replaceAll("_", " ")));
  if (text(p, "author")) facts.push(fact("fact", "By", `@${text(p, "author")}`, p["url"]));
  if (typeof p["isPrivate"] === "boolean") facts.push(fact("fact", "Visible", p["isPrivate"] ? "only for its creator" : "to the organisation"));
  for (const name of ["title", "summary", "text", "body", "description", "errorMessage"]) {
    if (text(p, name)) facts.push(fact("text", name, text(p, name)));
  }
  for (const name of ["questions", "answers"]) {
    const items = texts(p, name);
    if (items.length > 0) facts.push({ kind: "list", label: name, text: "", href: null, items });
  }
  return facts;
}

/** What the payload of an event shows; fields that nobody here knows come last, as they are. */
export function factsOf(event: TimelineEvent, task: Pull): Fact[] {
  const p = event.payload;
  const facts: Fact[] = [];
  const issue = number(p, "issueNumber");
  if (issue !== null) facts.push(fact("fact", "Issue", `Issue #${issue}`, p["issueUrl"]));
  if (text(p, "githubBranch")) facts.push(fact("code", "Branch", text(p, "githubBranch")));
  facts.push(...pullFacts(p, task), ...proseFacts(p));
  for (const [name, value] of Object.entries(p)) {
    if (!shownByName.has(name) && value !== null) facts.push(fact("code", name, `${name}: ${JSON.stringify(value)}`));
  }
  return facts;
}

export function shortSha(sha: string): string {
  return /^[0-9a-f]{12,}$/i.test(sha) ? sha.slice(0, 10) : sha;
}

/** Is the analyser looking again, at answers that it has been given? */
export function isReanalyzing(task: Task): boolean {
  if (task.status !== "analyzing") return false;
  for (let i = task.events.length - 1; i >= 0; i--) {
    const type = task.events[i]?.eventType;
    if (type === "clarification_submitted") return true;
    if (type === "analyzing" || type === "clarification_needed" || type === "created") return false;
  }
  return false;
}

/** Services name themselves by a path, people by their sub. */
export function actorName(event: TimelineEvent, task: Task): string {
  if (event.actor === task.createdBy) return `@${task.creator || task.createdBy}`;
  return event.actor.startsWith("/") ? event.actor.slice(1) : `@${event.actor}`;
}
