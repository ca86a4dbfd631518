// cache.ts - what the page showed last, kept per person for the next first paint: the dashboard's
// newest rows, the tasks that were opened last, unread notifications. Written when the page
// rests or is hidden; TaskwireProvider wipes it when the person goes or is refused.
import type { QueryClient } from "@tanstack/react-query";
import { compare, EMPTY_BOARD, placeOf, type Board } from "../model/board";
import type { Notice, Person, Row, Task } from "../model/wire";
import { ownerOf, type Database } from "./db";
import { keys } from "./keys";

const ROWS_KEPT = 300;
const TASKS_KEPT = 20;
const REST_MS = 2000;

interface Saved {
  version: number;
  rows: Row[];
  counts: Pick<Board, "org" | "mine">;
  asOf: number;
  tasks: Task[];
  notices: Notice[];
  seen: Record<string, number>;
}

const SEEN_KEPT = 500;
const VERSION = 1;

function isSaved(value: unknown): value is Saved {
  return typeof value === "object" && value !== null && (value as Partial<Saved>).version === VERSION;
}

/** What was kept becomes what the queries hold, until something newer comes. */
function restore(client: QueryClient, saved: Saved): void {
  const oldest = saved.rows.filter((r) => !r.isPrivate).map((r) => placeOf(r, "created")).sort(compare).at(-1) ?? null;
  client.setQueryData<Board>(keys.board, {
    ...EMPTY_BOARD, ...saved.counts, asOf: saved.asOf,
    rows: new Map(saved.rows.map((row) => [row.taskId, row])),
    base: { cursor: null, end: oldest, isStale: true, found: new Set() },
  }, { updatedAt: saved.asOf });
  for (const task of saved.tasks) client.setQueryData(keys.task(task.taskId), task, { updatedAt: saved.asOf });
  client.setQueryData(keys.notices, saved.notices, { updatedAt: saved.asOf });
  client.setQueryData(keys.seen, saved.seen);
}

function collect(client: QueryClient): Saved | null {
  const board = client.getQueryData<Board>(keys.board);
  if (!board) return null;
  const rows = [...board.rows.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).slice(0, ROWS_KEPT);
  const tasks = client.getQueryCache().findAll({ queryKey: keys.tasks })
    .sort((a, b) => b.state.dataUpdatedAt - a.state.dataUpdatedAt)
    .flatMap((query) => (query.state.data ? [query.state.data as Task] : []))
    .slice(0, TASKS_KEPT);
  return {
    version: VERSION, rows, tasks, counts: { org: board.org, mine: board.mine }, asOf: board.asOf,
    notices: client.getQueryData<Notice[]>(keys.notices) ?? [],
    seen: Object.fromEntries(Object.entries(client.getQueryData<Record<string, number>>(keys.seen) ?? {}).slice(-SEEN_KEPT)),
  };
}

/** Restore, then keep what the queries hold. Gives back a function that ends it. */
export async function keep(client: QueryClient, db: Database, person: Person): Promise<() => void> {
  const owner = ownerOf(person);
  const kept = await db.get("kept", owner).catch(() => undefined);
  if (kept && isSaved(kept.value)) restore(client, kept.value);
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isEnded = false;
  const save = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const value = isEnded ? null : collect(client);
    if (value) void db.put("kept", { key: owner, owner, savedAt: Date.now(), value }).catch(() => undefined);
  };
  const unsubscribe = client.getQueryCache().subscribe(() => { timer ??= setTimeout(save, REST_MS); });
  const onHide = (): void => { if (document.hidden) save(); };
  document.addEventListener("visibilitychange", onHide);
  return () => {
    isEnded = true;
    if (timer !== null) clearTimeout(timer);
    unsubscribe();
    document.removeEventListener("visibilitychange", onHide);
  };
}
