// board.ts - what is known of the dashboard: rows by task, counts by scope, and how far back
// each list has been read. Pure: every function gives back a new board.
//
// A snapshot (dashboard:state) is the newest page of the org and one's own private tasks; live
// rows may be of any age; pages of GET /api/tasks go on from where the last one ended. So a
// list has an edge: the place below which something may be missing, and below which nothing
// is shown, however much happens to be known. The greater seq of a task wins, whoever said it.
import type { Sort } from "./filters";
import type {
  Counts, DashboardTaskCountChangedPayload, DashboardTaskRemovedPayload, Row, Snapshot,
} from "./wire";

/** How far down a list is whole: `cursor` goes on; none: to its end. */
export interface Edge {
  cursor: string | null;
  time: string | null;
  /** Read before the newest snapshot: what it holds must be read again. */
  isStale: boolean;
  /** The ids that the server gave for it. */
  found: ReadonlySet<string>;
}

export interface Board {
  rows: ReadonlyMap<string, Row>;
  gone: ReadonlyMap<string, number>;
  org: Counts | null;
  mine: Counts | null;
  /** The snapshot's own edge, good for every list in order of creation. Null: no snapshot yet. */
  base: Edge | null;
  edges: ReadonlyMap<string, Edge>;
  /** Rows from before the newest snapshot, below it, that nobody has confirmed yet. */
  leftovers: ReadonlySet<string>;
  /** When it was known to be true (this computer's clock). */
  asOf: number;
}

/** A page of GET /api/tasks is a snapshot that somebody asked for in parts. */
export type Page = Snapshot;

export const EMPTY_BOARD: Board = {
  rows: new Map(), gone: new Map(), org: null, mine: null, base: null, edges: new Map(), leftovers: new Set(), asOf: 0,
};

const NO_IDS: ReadonlySet<string> = new Set();
const ROWS_MAX = 20_000;

/** A rev of 0 is the store's own answer where nobody numbers them just now: it is what there is. */
function newer(known: Counts | null, said: Counts): Counts {
  return known && said.rev !== 0 && known.rev > said.rev ? known : said;
}

function countsIn(page: Page): { org: Counts; mine: Counts } {
  const { activeCount, completedCount, failedCount, rev } = page;
  return { org: { activeCount, completedCount, failedCount, rev }, mine: page.private };
}

export function timeOf(row: Row, sort: Sort): string {
  return sort === "updated" ? row.updatedAt : row.createdAt;
}

function oldest(rows: readonly Row[], sort: Sort): string | null {
  return rows.reduce<string | null>((least, row) => {
    const time = timeOf(row, sort);
    return least === null || time < least ? time : least;
  }, null);
}

interface Draft {
  rows: Map<string, Row>;
  gone: Map<string, number>;
  leftovers: Set<string>;
}

function draftOf(board: Board): Draft {
  return { rows: new Map(board.rows), gone: new Map(board.gone), leftovers: new Set(board.leftovers) };
}

function keepNewer({ rows, gone, leftovers }: Draft, row: Row): void {
  const known = rows.get(row.taskId);
  const left = gone.get(row.taskId);
  if ((known && known.seq > row.seq) || (left !== undefined && left > row.seq)) return;
  gone.delete(row.taskId);
  leftovers.delete(row.taskId);
  rows.set(row.taskId, row);
}

/** dashboard:state, or the first page of all that is fetched where nothing comes live. */
export function takeSnapshot(board: Board, state: Snapshot, now: number): Board {
  const rows = new Map<string, Row>(), leftovers = new Set<string>();
  // The page is the org's; one's private tasks come beside it, and may be older than its end.
  const time = state.nextCursor ? oldest(state.tasks.filter((r) => !r.isPrivate), "created") : null;
  if (time !== null && board.edges.size > 0) {
    for (const row of board.rows.values()) {
      if (row.createdAt >= time) continue;
      rows.set(row.taskId, row);
      leftovers.add(row.taskId);
    }
  }
  for (const row of state.tasks) {
    const known = board.rows.get(row.taskId);
    rows.set(row.taskId, known && known.seq > row.seq ? known : row);
    leftovers.delete(row.taskId);
  }
  const edges = new Map([...board.edges].map(([key, edge]) => [key, { ...edge, isStale: true }]));
  const counts = countsIn(state);
  return {
    rows, edges, leftovers, gone: new Map(), org: newer(board.org, counts.org), mine: newer(board.mine, counts.mine),
    asOf: now,
    base: { cursor: state.nextCursor ?? null, time, isStale: false, found: NO_IDS },
  };
}

/** A page of one list, after the one that ended at `after` (null: its first). */
export function takePage(board: Board, key: string, sort: Sort, page: Page, after: string | null): Board {
  const draft = draftOf(board);
  for (const row of page.tasks) keepNewer(draft, row);
  const known = board.edges.get(key);
  const found = new Set(after === null ? [] : known?.found);
  for (const row of page.tasks) found.add(row.taskId);
  const edges = new Map(board.edges);
  edges.set(key, {
    cursor: page.nextCursor ?? null, time: page.nextCursor ? oldest(page.tasks, sort) : null, isStale: false, found,
  });
  const counts = countsIn(page);
  return {
    ...board, ...draft, edges, org: newer(board.org, counts.org), mine: newer(board.mine, counts.mine),
  };
}

/** A list was read again to where it had been read before: what it did not name is no more. */
export function dropLeftovers(board: Board, isOfList: (row: Row) => boolean): Board {
  const rows = new Map(board.rows), leftovers = new Set(board.leftovers);
  for (const id of board.leftovers) {
    const row = rows.get(id);
    if (row && !isOfList(row)) continue;
    rows.delete(id);
    leftovers.delete(id);
  }
  return { ...board, rows, leftovers };
}

export type Change =
  | { kind: "row"; row: Row }
  | { kind: "removed"; removed: DashboardTaskRemovedPayload }
  | { kind: "counts"; counts: DashboardTaskCountChangedPayload };

/** What came live, in its order, all at once. */
export function takeChanges(board: Board, changes: readonly Change[], now: number): Board {
  const draft = draftOf(board);
  let { org, mine } = board;
  for (const change of changes) {
    if (change.kind === "row") {
      keepNewer(draft, change.row);
    } else if (change.kind === "removed") {
      const { taskId, seq } = change.removed;
      const known = draft.rows.get(taskId);
      if (known && known.seq > seq) continue;
      draft.rows.delete(taskId);
      draft.gone.set(taskId, seq);
    } else if (change.counts.scope === "org") {
      org = newer(org, change.counts);
    } else {
      mine = newer(mine, change.counts);
    }
  }
  if (draft.rows.size > ROWS_MAX) draft.rows = newestOf(draft.rows);
  return { ...board, ...draft, org, mine, asOf: now };
}

/** Rows are cheap, but not free: what was touched longest ago can be asked for again. */
function newestOf(rows: Map<string, Row>): Map<string, Row> {
  const sorted = [...rows.values()].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  return new Map(sorted.slice(0, ROWS_MAX / 2).map((row) => [row.taskId, row]));
}

/** The sums that a person may see: the org's tasks and their own private ones. */
export function totals(board: Board): { active: number; completed: number; failed: number } | null {
  if (!board.org) return null;
  const mine = board.mine;
  return {
    active: board.org.activeCount + (mine?.activeCount ?? 0),
    completed: board.org.completedCount + (mine?.completedCount ?? 0),
    failed: board.org.failedCount + (mine?.failedCount ?? 0),
  };
}
