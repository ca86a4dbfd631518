// calls.ts - the REST calls that the page makes, by name.
import type { Page } from "../model/board";
import type { Features, Notice, Task, TimelineEvent } from "../model/wire";
import { Refusal, type Api } from "./client";

export const PAGE_ROWS = 100;

export async function fetchFeatures(api: Api): Promise<Features> {
  return (await api.ask<{ features: Features }>("GET", "/api/config")).body.features;
}

/** A page of a list; `query` is filters.ts's. */
export async function fetchPage(api: Api, query: string, cursor: string | null, limit = PAGE_ROWS): Promise<Page> {
  const more = new URLSearchParams(query);
  more.set("limit", String(limit));
  if (cursor !== null) more.set("cursor", cursor);
  return (await api.ask<Page>("GET", `/api/tasks?${more}`)).body;
}

export async function fetchTask(api: Api, taskId: string, known: Task | undefined): Promise<Task> {
  const headers: Record<string, string> = known ? { "If-None-Match": `"${known.seq}"` } : {};
  const answer = await api.ask<Task>("GET", `/api/tasks/${taskId}`, { headers });
  return answer.status === 304 && known ? known : answer.body;
}

export async function fetchOlderEvents(api: Api, taskId: string, before: number): Promise<TimelineEvent[]> {
  return (await api.ask<{ events: TimelineEvent[] }>("GET", `/api/tasks/${taskId}/events?before=${before}`)).body.events;
}

export interface Edit {
  title?: string;
  description?: string;
  isPrivate?: boolean;
}

/** How often an edit is laid upon a task that moved meanwhile without touching what it edits. */
const REBASES = 5;

function touches(edit: Edit, then: Task, now: Task): boolean {
  return (edit.title !== undefined && then.title !== now.title)
    || (edit.description !== undefined && then.description !== now.description)
    || (edit.isPrivate !== undefined && then.isPrivate !== now.isPrivate);
}

/** Edit a task as it was when the person began. A task moves all the time (a status, a note);
 *  it is a conflict only where somebody changed what this edit changes: then the Refusal
 *  carries the task as it is. */
export async function editTask(api: Api, began: Task, edit: Edit): Promise<Task> {
  const key = crypto.randomUUID();
  let seq = began.seq;
  for (let tries = 0; ; tries++) {
    try {
      const headers = { "If-Match": `"${seq}"`, "Idempotency-Key": key };
      return (await api.ask<Task>("PATCH", `/api/tasks/${began.taskId}`, { body: edit, headers })).body;
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 409 || !error.task || tries === REBASES) throw error;
      if (touches(edit, began, error.task)) throw error;
      seq = error.task.seq;
    }
  }
}

export async function fetchNotices(api: Api): Promise<Notice[]> {
  return (await api.ask<{ notifications: Notice[] }>("GET", "/api/notifications?limit=100")).body.notifications;
}

export async function readNotices(api: Api, ids: readonly string[]): Promise<void> {
  await api.ask<undefined>("POST", "/api/notifications/read", { body: { ids } });
}
