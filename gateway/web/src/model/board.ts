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

/** Where a row stands in a list: the server orders by time and, within a millisecond, by id. */
export interface Place {
  time: string;
  taskId: string;
}

/** How far down a list is whole: `cursor` goes on; none: to its end. */
export interface Edge {
  cursor: string | null;
  /** The last row that was read; null: all were. */
  end: Place | null;
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
  /** How many snapshots there have been: what was asked for before the newest one is older than it. */
  snapshots: number;
  /** When it was known to be true (this computer's clock). */
  asOf: number;
}

/** A page of GET /api/tasks is a snapshot that somebody asked for in parts. */
export type Page = Snapshot;

export const EMPTY_BOARD: Board = {
  rows: new Map(), gone: new Map(), org: null, mine: null, base: null, edges: new Map(), leftovers: new Set(), snapshots: 0, asOf: 0,
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

export function placeOf(row: Row, sort: Sort): Place {
  return { time: sort === "updated" ? row.updatedAt : row.createdAt, taskId: row.taskId };
}

/** Which of two stands higher: the newest first, as the server has them. */
export function compare(a: Place, b: Place): number {
  if (a.time !== b.time) return a.time < b.time ? 1 : -1;
  return a.taskId === b.taskId ? 0 : a.taskId < b.taskId ? 1 : -1;
}

/** The same of rows. Ten thousand are sorted by it ten times a second: nothing is made on the way. */
export function inOrder(sort: Sort): (a: Row, b: Row) => number {
  const key = sort === "updated" ? "updatedAt" : "createdAt";
  return (a, b) => {
    const x = a[key], y = b[key];
    if (x !== y) return x < y ? 1 : -1;
    return a.taskId < b.taskId ? 1 : -1;
  };
}

function lowest(rows: readonly Row[], sort: Sort): Place | null {
  return rows.reduce<Place | null>((last, row) => {
    const place = placeOf(row, sort);
    return last === null || compare(place, last) > 0 ? place : last;
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
  const end = state.nextCursor ? lowest(state.tasks.filter((r) => !r.isPrivate), "created") : null;
  if (end !== null && board.edges.size > 0) {
    for (const row of board.rows.values()) {
      if (compare(placeOf(row, "created"), end) <= 0) continue;
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
    asOf: now, snapshots: board.snapshots + 1,
    base: { cursor: state.nextCursor ?? null, end, isStale: false, found: NO_IDS },
  };
}

/** What a page is of. */
export interface Asked {
  /** The list's name (filters.ts, listQuery). */
  query: string;
  sort: Sort;
  /** It goes on after the page that ended here; null: it is the first. */
  after: string | null;
  /** The board's `snapshots` when it was asked for. */
  snapshots: number;
}

/** A page of one list. Where it goes on below what is stale, or a snapshot came while it was on
 *  its way, the list stays stale: somebody must read it again. */
export function takePage(board: Board, page: Page, { query, sort, after, snapshots }: Asked): Board {
  const draft = draftOf(board);
  for (const row of page.tasks) keepNewer(draft, row);
  const known = after === null ? undefined : board.edges.get(query);
  const found = new Set(known?.found);
  for (const row of page.tasks) found.add(row.taskId);
  const edges = new Map(board.edges);
  edges.set(query, {
    cursor: page.nextCursor ?? null, end: page.nextCursor ? lowest(page.tasks, sort) : null, found,
    isStale: (known?.isStale ?? false) || snapshots !== board.snapshots,
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
