import { QueryClient } from "@tanstack/react-query";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Api, type Tokens } from "../../src/api/client";
import { BoardFeed } from "../../src/live/BoardFeed";
import { LiveClient } from "../../src/live/LiveClient";
import { EMPTY_BOARD, inOrder, type Board } from "../../src/model/board";
import { NO_FILTERS, type Filters } from "../../src/model/filters";
import { listsOf } from "../../src/model/lists";
import type { Row, Snapshot } from "../../src/model/wire";
import { keys } from "../../src/store/keys";
import { id, minute, row, snapshot } from "../model/rows";

const tokens: Tokens = { current: async () => "token", fresh: async () => "token", rejected: () => undefined };
const FILTERS: Filters = { ...NO_FILTERS, section: "active", sort: "updated" };
const PAGE = 100;

/** What stands behind the network: rows, in pages as GET /api/tasks gives them. */
class Server {
  fails = 0;
  asked = 0;

  constructor(public rows: Row[]) {
    vi.stubGlobal("fetch", vi.fn(async (input: string) => this.answer(new URL(input, "http://x").searchParams)));
  }

  page(sort: Filters["sort"], after: string | null): Snapshot {
    const all = [...this.rows].sort(inOrder(sort));
    const from = after === null ? 0 : all.findIndex((r) => r.taskId === after) + 1;
    const tasks = all.slice(from, from + PAGE), last = tasks.at(-1);
    return snapshot(tasks, last && from + PAGE < all.length ? { nextCursor: last.taskId } : {});
  }

  private async answer(query: URLSearchParams): Promise<Response> {
    this.asked++;
    await new Promise((done) => setTimeout(done, 1));
    if (this.fails-- > 0) return new Response(JSON.stringify({ code: "unavailable" }), { status: 503 });
    return new Response(JSON.stringify(this.page(query.get("sort") === "-updatedAt" ? "updated" : "created", query.get("cursor"))));
  }
}

function setUp(count: number) {
  // Forty were made in each millisecond, so that pages end within one.
  const server = new Server(Array.from({ length: count }, (_, n) => {
    const at = minute(Math.floor(n / 40));
    return row(n + 1, { createdAt: at, updatedAt: at });
  }));
  const live = new LiveClient({ url: "http://x", freshToken: async () => null, onRejected: () => undefined, onFeatureOff: () => undefined });
  const client = new QueryClient();
  const feed = new BoardFeed(live, new Api("", tokens), client, "ann");
  const end = feed.attach();
  const said = (state: Snapshot): void => { for (const listener of live.socket.listeners("dashboard:state")) listener(state); };
  const board = (): Board => client.getQueryData<Board>(keys.board) ?? EMPTY_BOARD;
  const list = () => listsOf(board(), FILTERS, "ann").active;
  return { server, feed, said, board, list, end };
}

/** What was begun has asked by the next turn; then all of it is answered. */
async function rested(feed: BoardFeed): Promise<void> {
  await new Promise((done) => setTimeout(done, 1));
  await vi.waitFor(() => expect(feed.questions.state.get().asked.size).toBe(0));
}

afterEach(() => { vi.unstubAllGlobals(); vi.restoreAllMocks(); });

describe("a long list", () => {
  it("is read to its last row, though snapshots come and pages fail on the way", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { server, feed, said, list, end } = setUp(950);
    said(server.page("created", null));              // fetched, as the room was late
    feed.want(FILTERS);
    await rested(feed);
    // The room's snapshot is half as long: it ends within a millisecond of which more is known.
    const all = [...server.rows].sort(inOrder("created"));
    said(snapshot(all.slice(0, 50), { nextCursor: all[49]!.taskId }));
    void feed.more(FILTERS, "active");               // before what is above has been read again
    await rested(feed);
    server.fails = 1;
    for (let i = 0; i < 60 && list().hasMore; i++) {
      void feed.more(FILTERS, "active");
      if (i === 3) said(server.page("created", null));
      await rested(feed);
    }
    await vi.waitFor(() => expect(list()).toMatchObject({ hasMore: false }));
    expect(list().ids).toEqual([...server.rows].sort(inOrder("updated")).map((r) => r.taskId));
    end();
  });

  it("that was read to its end is read again after a new snapshot: what changed far down is found", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const { server, feed, said, board, list, end } = setUp(250);
    said(server.page("created", null));
    feed.want(FILTERS);
    await rested(feed);
    while (list().hasMore) await feed.more(FILTERS, "active");
    expect(list().ids).toHaveLength(250);
    // The connection was away: one task moved, one has gone, and neither is in the snapshot.
    server.rows = server.rows.filter((r) => r.taskId !== id(2)).map((r) => (r.taskId === id(1) ? { ...r, seq: 2, status: "coding" } : r));
    said(server.page("created", null));
    await vi.waitFor(() => expect(board().rows.get(id(1))?.status).toBe("coding"));
    await rested(feed);
    expect(list().ids).toHaveLength(249);
    expect(list().ids).not.toContain(id(2));
    end();
  });

  it("stops asking when nobody looks at it any more", async () => {
    const { server, feed, said, end } = setUp(250);
    said(server.page("created", null));
    server.fails = 1000;
    const leave = feed.want(FILTERS);
    await vi.waitFor(() => expect(feed.questions.state.get().isTryingAgain).toBe(true));
    leave();
    feed.questions.wake();
    await rested(feed);
    expect(server.asked).toBe(1);
    expect(feed.questions.state.get().problem).toBeNull();
    end();
  });
});
