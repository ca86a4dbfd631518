// task.ts - one task as its room tells it: a snapshot, then events. Pure.
//
// All that one input causes carries its seq, so an event applies where its seq is not behind
// the task's; applying one twice changes nothing. What an event does not say, the rows of
// proto/transitions.def do: which inputs change the status, and so since when it holds.
import type { ServerToClientEvents, Task, TimelineEvent } from "./wire";
import { MOVES } from "./wire";

export type Down = { [K in keyof ServerToClientEvents]: Parameters<ServerToClientEvents[K]>[0] };

/** The events that change a task in place. */
export const TASK_EVENTS = [
  "task:analyzing", "task:clarification_needed", "task:clarified", "task:dispatched", "task:coding", "task:pr_opened",
  "task:pr_updated", "task:pr_merged", "task:pr_closed", "task:failed", "task:updated", "task:event_added",
] as const satisfies readonly (keyof ServerToClientEvents)[];
export type TaskEventName = (typeof TASK_EVENTS)[number];

const movesStatus = new Set(MOVES.filter((m) => m.to !== null).map((m) => m.input));

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function addEvent(task: Task, event: TimelineEvent): Task {
  if (task.events.some((e) => e.seq === event.seq)) return task;
  const events = [...task.events, event];
  if (task.events.some((e) => e.seq > event.seq)) events.sort((a, b) => a.seq - b.seq);
  const next = { ...task, events, updatedAt: event.createdAt };
  if (movesStatus.has(event.eventType)) next.statusSince = event.createdAt;
  if (event.eventType === "llm_response") next.taskType = textOf(event.payload["taskType"]) ?? task.taskType;
  return next;
}

type Merge<K extends TaskEventName> = (task: Task, payload: Down[K]) => Task;

const merges: { [K in TaskEventName]: Merge<K> } = {
  "task:analyzing": (t, p) => ({ ...t, status: p.status }),
  "task:clarification_needed": (t, p) =>
    ({ ...t, status: p.status, questions: p.questions, clarificationAnswers: undefined }),
  "task:clarified": (t, p) => ({
    ...t, status: p.status, clarificationAnswers: p.clarificationAnswers,
    issueNumber: p.issueNumber ?? t.issueNumber, issueUrl: p.issueUrl ?? t.issueUrl,
  }),
  "task:dispatched": (t, p) => ({
    ...t, status: p.status, issueNumber: p.issueNumber, issueUrl: p.issueUrl, githubBranch: p.githubBranch,
  }),
  "task:coding": (t, p) => ({ ...t, status: p.status }),
  "task:pr_opened": (t, p) =>
    ({ ...t, status: p.status, prNumber: p.prNumber, prUrl: p.prUrl, prTitle: p.prTitle, prState: p.prState }),
  "task:pr_updated": (t, p) =>
    ({ ...t, status: p.status, prNumber: p.prNumber, prUrl: p.prUrl, prTitle: p.prTitle, prState: p.prState }),
  "task:pr_merged": (t, p) =>
    ({ ...t, status: p.status, prState: "merged", mergeCommitSha: p.mergeCommitSha, mergedAt: p.mergedAt }),
  "task:pr_closed": (t, p) => ({ ...t, status: p.status, prState: "closed" }),
  "task:failed": (t, p) => ({ ...t, status: p.status, errorMessage: p.errorMessage }),
  "task:updated": (t, p) => ({ ...t, title: p.title, description: p.description, isPrivate: p.isPrivate }),
  "task:event_added": (t, p) => addEvent(t, p.event),
};

export function takeTaskEvent<K extends TaskEventName>(task: Task, name: K, payload: Down[K]): Task {
  if (payload.taskId !== task.taskId || payload.seq < task.seq) return task;
  const next = merges[name](task, payload);
  return next === task && payload.seq === task.seq ? task : { ...next, seq: payload.seq };
}

/** Answers of REST come beside the live events and may be older than what is known. */
export function newerTask(known: Task | undefined, said: Task): Task {
  if (!known || said.seq >= known.seq) return withEarlier(said, known);
  return known;
}

/** A snapshot carries the newest events only; earlier ones that were read stay where they fit. */
export function withEarlier(task: Task, known: Task | undefined): Task {
  const first = task.events[0];
  if (!known || !first) return task;
  const earlier = known.events.filter((e) => e.seq < first.seq);
  const last = earlier.at(-1);
  return last?.seq === first.seq - 1 ? { ...task, events: [...earlier, ...task.events] } : task;
}

/** Older events, read by GET /api/tasks/:id/events?before=. */
export function withOlderEvents(task: Task, older: readonly TimelineEvent[]): Task {
  const known = new Set(task.events.map((e) => e.seq));
  const added = older.filter((e) => !known.has(e.seq));
  return added.length === 0 ? task : { ...task, events: [...added, ...task.events].sort((a, b) => a.seq - b.seq) };
}
