// filters.ts - what a person wants to see of the dashboard: kept in the URL, asked of the
// server page by page, and applied here to what comes live. All three must mean the same.
import type { Row, Section, Status } from "./wire";
import { SECTIONS, STATUSES, STATUS_BUCKETS } from "./wire";

export type Sort = "created" | "updated";

export interface Filters {
  mine: boolean;
  section: Section | null;
  status: Status | null;
  creator: string | null;
  words: string;
  sort: Sort;
}

export const NO_FILTERS: Filters = {
  mine: false, section: null, status: null, creator: null, words: "", sort: "created",
};

function oneOf<T extends string>(values: readonly T[], text: string | null): T | null {
  return values.find((v) => v === text) ?? null;
}

export function filtersFrom(query: URLSearchParams): Filters {
  return {
    mine: query.get("mine") === "1",
    section: oneOf(SECTIONS, query.get("show")),
    status: oneOf(STATUSES, query.get("status")),
    creator: query.get("creator") || null,
    words: (query.get("q") ?? "").slice(0, 200),
    sort: query.get("sort") === "updated" ? "updated" : "created",
  };
}

/** The query of a URL that says the same; what is not filtered is not named. */
export function filtersTo(f: Filters): URLSearchParams {
  const query = new URLSearchParams();
  if (f.mine) query.set("mine", "1");
  if (f.section) query.set("show", f.section);
  if (f.status) query.set("status", f.status);
  if (f.creator) query.set("creator", f.creator);
  if (f.words) query.set("q", f.words);
  if (f.sort !== "created") query.set("sort", f.sort);
  return query;
}

export function isFiltered(f: Filters): boolean {
  return f.mine || f.section !== null || f.status !== null || f.creator !== null || f.words.trim() !== "";
}

/** Which lists are on the page at all. */
export function sectionsOf(f: Filters): readonly Section[] {
  if (f.status) {
    const bucket = STATUS_BUCKETS[f.status];
    return f.section === null || f.section === bucket ? [bucket] : [];
  }
  return f.section ? [f.section] : SECTIONS;
}

/** What to ask of GET /api/tasks for one list; it is the list's name, too. */
export function listQuery(f: Filters, section: Section): string {
  const query = new URLSearchParams();
  if (f.status) query.set("status", f.status);
  else if (section === "active") query.set("active", "true");
  else query.set("status", section === "completed" ? "merged" : "failed");
  if (f.mine) query.set("mine", "true");
  if (f.creator) query.set("creator", f.creator);
  if (f.words.trim()) query.set("q", f.words.trim());
  query.set("sort", f.sort === "updated" ? "-updatedAt" : "-createdAt");
  return query.toString();
}

const notWord = /[^\p{L}\p{N}]+/u;

export function wordsOf(text: string): string[] {
  return text.toLowerCase().split(notWord).filter(Boolean);
}

/** Every word must begin some word of the title. (The server also looks at the description,
 *  which rows do not carry: what it has found is added by the caller.) */
export function titleHas(title: string, wanted: readonly string[]): boolean {
  const words = wordsOf(title);
  return wanted.every((w) => words.some((word) => word.startsWith(w)));
}

export interface Asker {
  me: string;
  wanted: readonly string[];
  /** What the server has found for these words. */
  found: ReadonlySet<string>;
}

export function matches(row: Row, f: Filters, section: Section, by: Asker): boolean {
  return STATUS_BUCKETS[row.status] === section
    && (f.status === null || row.status === f.status)
    && (!f.mine || row.createdBy === by.me)
    && (f.creator === null || row.createdBy === f.creator)
    && (by.wanted.length === 0 || by.found.has(row.taskId) || titleHas(row.title, by.wanted));
}
