// lists.ts - from a board and filters to the ids of each list, in order; and what of that may
// be shown now without moving anything under a person's hands.
import { compare, inOrder, placeOf, type Board, type Edge } from "./board";
import { listQuery, matches, sectionsOf, wordsOf, type Filters } from "./filters";
import { SECTIONS, type Row, type Section } from "./wire";

export interface List {
  ids: readonly string[];
  /** There is more to ask for. */
  hasMore: boolean;
  /** Nothing is known of it yet. */
  isUnknown: boolean;
}

export type Lists = Readonly<Record<Section, List>>;

const NO_LIST: List = { ids: [], hasMore: false, isUnknown: false };
const NO_IDS: ReadonlySet<string> = new Set();

/** A snapshot serves every list in order of creation, but for a search: titles are all it has. */
export function edgeOf(board: Board, f: Filters, section: Section): Edge | null {
  const own = board.edges.get(listQuery(f, section));
  const servesAll = f.sort === "created" && wordsOf(f.words).length === 0;
  if (own && !own.isStale) return own;
  if (servesAll && board.base?.cursor === null) return board.base;
  return own ?? (servesAll ? board.base : null);
}

function isAbove(row: Row, edge: Edge, f: Filters): boolean {
  return edge.end === null || compare(placeOf(row, f.sort), edge.end) <= 0;
}

/** The rows of one list that may be shown. */
function rowsOf(board: Board, f: Filters, section: Section, me: string, edge: Edge): Row[] {
  const wanted = wordsOf(f.words);
  const by = { me, wanted, found: wanted.length > 0 ? edge.found : NO_IDS };
  const rows: Row[] = [];
  for (const row of board.rows.values()) {
    if (isAbove(row, edge, f) && matches(row, f, section, by)) rows.push(row);
  }
  return rows.sort(inOrder(f.sort));
}

function listOf(board: Board, f: Filters, section: Section, me: string): List {
  const edge = edgeOf(board, f, section);
  if (!edge) return { ids: [], hasMore: false, isUnknown: true };
  return {
    ids: rowsOf(board, f, section, me, edge).map((row) => row.taskId),
    hasMore: edge.cursor !== null,
    isUnknown: false,
  };
}

export function listsOf(board: Board, f: Filters, me: string): Lists {
  const lists: Record<Section, List> = { active: NO_LIST, failed: NO_LIST, completed: NO_LIST };
  for (const section of sectionsOf(f)) lists[section] = listOf(board, f, section, me);
  return lists;
}

/** Whether a row is of a list, as far down as that has been read. */
export function isOfList(f: Filters, section: Section, me: string, edge: Edge): (row: Row) => boolean {
  const by = { me, wanted: [], found: NO_IDS };
  return (row) => matches(row, f, section, by) && isAbove(row, edge, f);
}

// --- what is shown ---

export type Shown = Readonly<Record<Section, readonly string[]>>;

export const NOTHING_SHOWN: Shown = { active: [], failed: [], completed: [] };

export interface Settled {
  shown: Shown;
  /** Tasks that wait for the person to let them in. */
  fresh: number;
  /** Tasks that stand elsewhere by now. */
  moved: number;
}

function idsOf(lists: Lists): Shown {
  return { active: lists.active.ids, failed: lists.failed.ids, completed: lists.completed.ids };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** While held, nothing moves: what is shown stays, rows may only join at the end. */
function heldList(shown: readonly string[], wanted: readonly string[], everywhere: ReadonlySet<string>): readonly string[] {
  const here = new Set(shown);
  let last = -1;
  wanted.forEach((id, i) => { if (here.has(id)) last = i; });
  const tail = last < 0 ? [] : wanted.slice(last + 1).filter((id) => !everywhere.has(id));
  return tail.length > 0 ? [...shown, ...tail] : shown;
}

/** How many of `shown` would stand elsewhere in `wanted`: all but a longest part in order. */
function movedIn(shown: readonly string[], wanted: readonly string[]): number {
  const place = new Map(wanted.map((id, i) => [id, i]));
  const tails: number[] = [];
  for (const id of shown) {
    const at = place.get(id);
    if (at === undefined) continue;
    let low = 0, high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tails[middle]! < at) low = middle + 1;
      else high = middle;
    }
    tails[low] = at;
  }
  return shown.length - tails.length;
}

export function settle(shown: Shown, lists: Lists, isHeld: boolean): Settled {
  const wanted = idsOf(lists);
  if (SECTIONS.every((s) => isSame(shown[s], wanted[s]))) return { shown, fresh: 0, moved: 0 };
  if (!isHeld) return { shown: wanted, fresh: 0, moved: 0 };
  const everywhere = new Set(SECTIONS.flatMap((s) => [...shown[s]]));
  const kept = {
    active: heldList(shown.active, wanted.active, everywhere),
    failed: heldList(shown.failed, wanted.failed, everywhere),
    completed: heldList(shown.completed, wanted.completed, everywhere),
  };
  const there = new Set(SECTIONS.flatMap((s) => [...kept[s]]));
  const fresh = SECTIONS.reduce((n, s) => n + wanted[s].filter((id) => !there.has(id)).length, 0);
  const moved = SECTIONS.reduce((n, s) => n + movedIn(kept[s], wanted[s]), 0);
  return { shown: SECTIONS.every((s) => kept[s] === shown[s]) ? shown : kept, fresh, moved };
}
