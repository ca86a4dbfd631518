import { describe, expect, it } from "vitest";
import {
  dropLeftovers, EMPTY_BOARD, takeChanges, takePage, takeSnapshot, totals, type Asked, type Board, type Change,
} from "../../src/model/board";
import { id, minute, NO_COUNTS, row, snapshot } from "./rows";

const QUERY = "active=true&sort=-createdAt";

/** A page of that list that was asked for just now. */
function asked(board: Board, after: string | null): Asked {
  return { query: QUERY, sort: "created", after, snapshots: board.snapshots };
}

function ids(board: Board): string[] {
  return [...board.rows.keys()].sort();
}

function change(...rows: Parameters<typeof row>[]): Change[] {
  return rows.map((args) => ({ kind: "row", row: row(...args) }));
}

describe("a snapshot", () => {
  it("is all there is where it says so", () => {
    const before = takeSnapshot(EMPTY_BOARD, snapshot([row(1), row(2)]), 1);
    const after = takeSnapshot(before, snapshot([row(2)]), 2);
    expect(ids(after)).toEqual([id(2)]);
    expect(after.base).toMatchObject({ cursor: null, end: null });
  });

  it("ends where its page ends, one's own private tasks aside", () => {
    const board = takeSnapshot(EMPTY_BOARD, snapshot([row(9), row(8), row(1, { isPrivate: true })], { nextCursor: "x" }), 1);
    expect(board.base).toMatchObject({ cursor: "x", end: { time: minute(8), taskId: id(8) } });
  });

  it("never takes a row back to an older one", () => {
    const before = takeChanges(takeSnapshot(EMPTY_BOARD, snapshot([row(1)]), 1), change([1, { seq: 5, status: "coding" }]), 2);
    const after = takeSnapshot(before, snapshot([row(1, { seq: 4 })]), 3);
    expect(after.rows.get(id(1))).toMatchObject({ seq: 5, status: "coding" });
  });

  it("keeps what was read below it until that has been read again", () => {
    let board = takeSnapshot(EMPTY_BOARD, snapshot([row(9), row(8)], { nextCursor: "8" }), 1);
    board = takePage(board, snapshot([row(7), row(6)], { nextCursor: "6" }), asked(board, "8"));
    board = takeSnapshot(board, snapshot([row(10), row(9)], { nextCursor: "9" }), 2);
    expect(ids(board)).toEqual([6, 7, 8, 9, 10].map(id).sort());
    expect(board.edges.get(QUERY)?.isStale).toBe(true);
    expect([...board.leftovers].sort()).toEqual([6, 7, 8].map(id));
    board = takePage(board, snapshot([row(8), row(6)], { nextCursor: "6" }), asked(board, null));
    board = dropLeftovers(board, () => true);
    expect(ids(board)).toEqual([6, 8, 9, 10].map(id).sort()); // 7 is gone
  });

  it("keeps those below it that were made in the same millisecond as its last", () => {
    const twins = [4, 3, 2, 1].map((n) => row(n, { createdAt: minute(1) }));
    let board = takeSnapshot(EMPTY_BOARD, snapshot(twins, { nextCursor: "1" }), 1);
    board = takePage(board, snapshot(twins, { nextCursor: "1" }), asked(board, null));
    board = takeSnapshot(board, snapshot(twins.slice(0, 2), { nextCursor: "3" }), 2);
    expect(ids(board)).toEqual([1, 2, 3, 4].map(id));
    expect([...board.leftovers].sort()).toEqual([1, 2].map(id));
  });

  it("lets nothing linger below it that nobody has asked for", () => {
    let board = takeSnapshot(EMPTY_BOARD, snapshot([row(9)], { nextCursor: "9" }), 1);
    board = takeChanges(board, change([3, { seq: 4 }]), 2);
    expect(ids(takeSnapshot(board, snapshot([row(9)], { nextCursor: "9" }), 3))).toEqual([id(9)]);
  });
});

describe("what comes live", () => {
  const board = takeSnapshot(EMPTY_BOARD, snapshot([row(1), row(2)]), 1);

  it("is taken by the greater seq, in whatever order", () => {
    const after = takeChanges(board, change([1, { seq: 3, title: "new" }], [1, { seq: 2, title: "old" }]), 2);
    expect(after.rows.get(id(1))?.title).toBe("new");
  });

  it("takes a task away when it turns private, and not by an older word", () => {
    const removed = takeChanges(board, [{ kind: "removed", removed: { taskId: id(1), seq: 2 } }], 2);
    expect(ids(removed)).toEqual([id(2)]);
    const late = takeChanges(removed, change([1, { seq: 1 }]), 3);
    expect(ids(late)).toEqual([id(2)]);
    const page = takePage(removed, snapshot([row(1, { seq: 1 })]), asked(removed, null));
    expect(ids(page)).toEqual([id(2)]);
  });

  it("gives the creator the row again, with the same seq", () => {
    const after = takeChanges(board, [
      { kind: "removed", removed: { taskId: id(1), seq: 2 } }, ...change([1, { seq: 2, isPrivate: true }]),
    ], 2);
    expect(after.rows.get(id(1))?.isPrivate).toBe(true);
  });

  it("does not take away what has moved on since", () => {
    const moved = takeChanges(board, change([1, { seq: 9 }]), 2);
    expect(ids(takeChanges(moved, [{ kind: "removed", removed: { taskId: id(1), seq: 8 } }], 3))).toContain(id(1));
  });

  it("shows the sum of both scopes, each by its newest rev", () => {
    const counts = (scope: "org" | "private", rev: number, activeCount: number): Change =>
      ({ kind: "counts", counts: { scope, rev, activeCount, completedCount: 1, failedCount: 0 } });
    const after = takeChanges(board, [counts("org", 5, 10), counts("org", 4, 99), counts("private", 1, 2)], 2);
    expect(totals(after)).toEqual({ active: 12, completed: 2, failed: 0 });
    expect(totals(EMPTY_BOARD)).toBeNull();
  });
});

describe("a page", () => {
  it("moves its list's edge, and only its", () => {
    let board = takeSnapshot(EMPTY_BOARD, snapshot([row(9)], { nextCursor: "9" }), 1);
    board = takePage(board, snapshot([row(5), row(4)], { nextCursor: "4" }), asked(board, "9"));
    expect(board.edges.get(QUERY)).toMatchObject({ cursor: "4", end: { time: minute(4), taskId: id(4) } });
    expect(board.base?.cursor).toBe("9");
    board = takePage(board, snapshot([row(3)]), asked(board, "4"));
    expect(board.edges.get(QUERY)).toMatchObject({ cursor: null, end: null });
    expect([...(board.edges.get(QUERY)?.found ?? [])].sort()).toEqual([3, 4, 5].map(id));
  });

  it("leaves its list stale where what is above it must be read again", () => {
    let board = takeSnapshot(EMPTY_BOARD, snapshot([row(9)], { nextCursor: "9" }), 1);
    board = takePage(board, snapshot([row(8), row(7)], { nextCursor: "7" }), asked(board, "9"));
    const before = asked(board, "7");
    board = takeSnapshot(board, snapshot([row(9)], { nextCursor: "9" }), 2);
    const late = takePage(board, snapshot([row(6)]), before);
    expect(late.edges.get(QUERY)).toMatchObject({ cursor: null, isStale: true });
    const below = takePage(board, snapshot([row(6)]), asked(board, "7"));
    expect(below.edges.get(QUERY)?.isStale).toBe(true);
    expect(takePage(board, snapshot([row(8)], { nextCursor: "8" }), asked(board, null)).edges.get(QUERY)?.isStale).toBe(false);
    expect(takePage(board, snapshot([row(8)], { nextCursor: "8" }), { ...before, after: null }).edges.get(QUERY)?.isStale).toBe(true);
  });

  it("brings counts, where they are newer", () => {
    const board = takeSnapshot(EMPTY_BOARD, snapshot([], { activeCount: 7, rev: 10 }), 1);
    const old = takePage(board, snapshot([], { activeCount: 3, rev: 9, private: NO_COUNTS }), asked(board, null));
    expect(totals(old)?.active).toBe(7);
  });
});
