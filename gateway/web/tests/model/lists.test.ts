import { describe, expect, it } from "vitest";
import { EMPTY_BOARD, takeChanges, takePage, takeSnapshot, type Board } from "../../src/model/board";
import { filtersFrom, filtersTo, listQuery, NO_FILTERS, sectionsOf, titleHas, wordsOf, type Filters } from "../../src/model/filters";
import { listsOf, NOTHING_SHOWN, settle, type Lists, type Shown } from "../../src/model/lists";
import type { Section } from "../../src/model/wire";
import { id, minute, row, snapshot } from "./rows";

const filters = (some: Partial<Filters> = {}): Filters => ({ ...NO_FILTERS, ...some });
const names = (lists: Lists, section: Section): number[] => lists[section].ids.map((i) => parseInt(i, 16));

describe("filters", () => {
  it("go into a URL and come back", () => {
    const all = filters({ mine: true, status: "pr_open", creator: "ann", words: "blue door", sort: "updated" });
    expect(filtersFrom(filtersTo(all))).toEqual(all);
    expect(filtersTo(NO_FILTERS).toString()).toBe("");
    expect(filtersFrom(new URLSearchParams("status=nonsense&show=what&sort=up"))).toEqual(NO_FILTERS);
  });

  it("say which lists there are, and what to ask for each", () => {
    expect(sectionsOf(NO_FILTERS)).toEqual(["active", "failed", "completed"]);
    expect(sectionsOf(filters({ status: "merged" }))).toEqual(["completed"]);
    expect(sectionsOf(filters({ section: "active" }))).toEqual(["active"]);
    expect(listQuery(NO_FILTERS, "active")).toBe("active=true&sort=-createdAt");
    expect(listQuery(filters({ mine: true, words: " door " }), "completed")).toBe("status=merged&mine=true&q=door&sort=-createdAt");
  });

  it("find words as the server does: each the beginning of one, in any case", () => {
    expect(titleHas("Make the Door blue", wordsOf("DO blu"))).toBe(true);
    expect(titleHas("Make the Door blue", wordsOf("oor"))).toBe(false);
    expect(titleHas("Grüße an Ähren", wordsOf("ähr grü"))).toBe(true);
  });
});

describe("lists", () => {
  const mixed = takeSnapshot(EMPTY_BOARD, snapshot([
    row(1, { status: "merged" }), row(2), row(3, { status: "failed" }), row(4, { createdBy: "bob", status: "coding" }),
  ]), 1);

  it("hold a task each, newest first", () => {
    const lists = listsOf(mixed, NO_FILTERS, "ann");
    expect([names(lists, "active"), names(lists, "failed"), names(lists, "completed")]).toEqual([[4, 2], [3], [1]]);
  });

  it("apply filters to what comes live", () => {
    const mine = filters({ mine: true });
    const after = takeChanges(mixed, [{ kind: "row", row: row(5, { createdBy: "bob" }) }, { kind: "row", row: row(6) }], 2);
    expect(names(listsOf(after, mine, "ann"), "active")).toEqual([6, 2]);
    const coding = filters({ status: "coding" });
    expect(names(listsOf(after, coding, "ann"), "active")).toEqual([4]);
    const left = takeChanges(after, [{ kind: "row", row: row(4, { createdBy: "bob", status: "pr_open", seq: 2 }) }], 3);
    expect(names(listsOf(left, coding, "ann"), "active")).toEqual([]);
  });

  it("move a merged task from the active to the completed", () => {
    const after = takeChanges(mixed, [{ kind: "row", row: row(2, { status: "merged", seq: 9 }) }], 2);
    const lists = listsOf(after, NO_FILTERS, "ann");
    expect([names(lists, "active"), names(lists, "completed")]).toEqual([[4], [2, 1]]);
  });

  it("order by what changed last", () => {
    let board: Board = takePage(EMPTY_BOARD, snapshot([row(1), row(2)]),
      { query: listQuery(filters({ sort: "updated" }), "active"), sort: "updated", after: null, snapshots: 0 });
    board = takeChanges(board, [{ kind: "row", row: row(1, { seq: 2, updatedAt: minute(50) }) }], 2);
    expect(names(listsOf(board, filters({ sort: "updated" }), "ann"), "active")).toEqual([1, 2]);
  });

  it("show nothing below their edge, whatever is known", () => {
    const board = takeChanges(takeSnapshot(EMPTY_BOARD, snapshot([row(9), row(8)], { nextCursor: "8" }), 1),
      [{ kind: "row", row: row(3, { seq: 7 }) }], 2);
    const { active } = listsOf(board, NO_FILTERS, "ann");
    expect(active.ids).toEqual([id(9), id(8)]);
    expect(active.hasMore).toBe(true);
  });

  it("show nothing below it within its last millisecond, either: the next page stands there", () => {
    const at = { createdAt: minute(3) };
    const board = takeChanges(takeSnapshot(EMPTY_BOARD, snapshot([row(9), row(5, at)], { nextCursor: "5" }), 1),
      [{ kind: "row", row: row(2, { ...at, seq: 2 }) }, { kind: "row", row: row(7, { ...at, seq: 2 }) }], 2);
    expect(names(listsOf(board, NO_FILTERS, "ann"), "active")).toEqual([9, 7, 5]);
  });

  it("know what the server found by a description", () => {
    const searched = filters({ words: "hinge" });
    expect(listsOf(mixed, searched, "ann").active.isUnknown).toBe(true);
    const board = takePage(mixed, snapshot([row(2)]),
      { query: listQuery(searched, "active"), sort: "created", after: null, snapshots: mixed.snapshots });
    expect(names(listsOf(board, searched, "ann"), "active")).toEqual([2]);
    const named = takeChanges(board, [{ kind: "row", row: row(7, { title: "Mend the hinges" }) }], 2);
    expect(names(listsOf(named, searched, "ann"), "active")).toEqual([7, 2]);
  });
});

describe("what is shown", () => {
  const listed = (active: number[], failed: number[] = [], completed: number[] = []): Lists => {
    const list = (ns: number[]) => ({ ids: ns.map(id), hasMore: false, isUnknown: false });
    return { active: list(active), failed: list(failed), completed: list(completed) };
  };
  const shown = (active: number[], completed: number[] = []): Shown =>
    ({ active: active.map(id), failed: [], completed: completed.map(id) });

  it("follows at once where nobody's hands are on it", () => {
    expect(settle(NOTHING_SHOWN, listed([2, 1]), false)).toEqual({ shown: shown([2, 1]), fresh: 0, moved: 0 });
  });

  it("keeps still while held, and counts what waits", () => {
    const settled = settle(shown([3, 2, 1]), listed([5, 4, 3, 1], [], [2]), true);
    expect(settled).toEqual({ shown: shown([3, 2, 1]), fresh: 2, moved: 1 });
  });

  it("counts as moved the fewest that explain the new order", () => {
    expect(settle(shown([1, 2, 3, 4]), listed([4, 1, 2, 3]), true).moved).toBe(1);
  });

  it("lets rows join at the end while held: somebody asked for more", () => {
    const settled = settle(shown([3, 2]), listed([4, 3, 2, 1, 0]), true);
    expect(settled.shown.active).toEqual([3, 2, 1, 0].map(id));
    expect(settled.fresh).toBe(1);
  });

  it("is the same object as long as it is the same", () => {
    const now = shown([2, 1]);
    expect(settle(now, listed([2, 1]), false).shown).toBe(now);
    expect(settle(now, listed([3, 2, 1]), true).shown).toBe(now);
  });
});
