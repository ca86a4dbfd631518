// BoardFeed.ts - keeps the dashboard of the query cache true: by its room where that is on, by
// asking now and then where it is not, and page by page for what lies below the snapshot.
import type { QueryClient } from "@tanstack/react-query";
import { fetchPage, PAGE_ROWS } from "../api/calls";
import type { Api } from "../api/client";
import {
  dropLeftovers, EMPTY_BOARD, takeChanges, takePage, takeSnapshot, type Board, type Change, type Page,
} from "../model/board";
import { serverNow } from "../model/clock";
import { listQuery, sectionsOf, wordsOf, type Filters } from "../model/filters";
import { edgeOf, isOfList, listsOf } from "../model/lists";
import type { Row, Section } from "../model/wire";
import { keys } from "../store/keys";
import { Batcher } from "./batcher";
import { DASHBOARD, type LiveClient } from "./LiveClient";
import { Store } from "./store";

const ENOUGH_ROWS = 10;
const REREAD_SPREAD_MS = 2000;
const SEARCH_AGAIN_MS = 2000;
const YOUNG_MS = 60_000;

export interface Loading {
  /** Lists that are being asked for, by their query. */
  asked: ReadonlySet<string>;
  /** Why the last question came to nothing. */
  problem: string | null;
}

export class BoardFeed {
  readonly loading = new Store<Loading>({ asked: new Set(), problem: null });
  /** Tasks that came while the page was open, and when: they are shown as new for a while. */
  readonly arrivals = new Map<string, number>();

  private readonly batcher = new Batcher<Change>((changes) => this.take(changes));
  private filters: Filters | null = null;
  private searchTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly live: LiveClient, private readonly api: Api, private readonly client: QueryClient,
              private readonly me: string) {}

  /** Hear what the dashboard's room says, as long as the person is here: the room is left a
   *  moment after its page, and what it says until then belongs to what the next page finds. */
  attach(): () => void {
    const { socket } = this.live;
    const onState = (state: Page): void => {
      this.batcher.flush();
      this.snapshot(state);
    };
    const onRow = (row: Row): void => this.batcher.add({ kind: "row", row });
    const onRemoved = (removed: { taskId: string; seq: number }): void => this.batcher.add({ kind: "removed", removed });
    const onCounts = (counts: Extract<Change, { kind: "counts" }>["counts"]): void => this.batcher.add({ kind: "counts", counts });
    socket.on("dashboard:state", onState);
    socket.on("dashboard:task_list_updated", onRow);
    socket.on("dashboard:task_removed", onRemoved);
    socket.on("dashboard:task_count_changed", onCounts);
    return () => {
      socket.off("dashboard:state", onState);
      socket.off("dashboard:task_list_updated", onRow);
      socket.off("dashboard:task_removed", onRemoved);
      socket.off("dashboard:task_count_changed", onCounts);
      this.batcher.drop();
      if (this.searchTimer !== null) clearTimeout(this.searchTimer);
    };
  }

  /** Be in the dashboard's room until the function given back is called. */
  follow(): () => void {
    return this.live.rooms.enter(DASHBOARD);
  }

  /** The lists that these filters need, asked for where they are not known. */
  async want(filters: Filters): Promise<void> {
    this.filters = filters;
    if (!this.board().base) return; // the snapshot comes first, and may be all that is needed
    await Promise.all(sectionsOf(filters).map((section) => this.ensure(filters, section)));
  }

  /** Further down one list. */
  async more(filters: Filters, section: Section): Promise<void> {
    const edge = edgeOf(this.board(), filters, section);
    if (edge?.cursor) await this.read(filters, section, edge.cursor);
  }

  /** Where nothing comes live: the newest page, as if it were a snapshot. */
  async poll(): Promise<void> {
    const page = await fetchPage(this.api, "sort=-createdAt", null);
    // The room knows better by now; but a room that was lost stays "joined", as it may be recovered.
    if (this.live.socket.connected && this.live.rooms.state(DASHBOARD).get().kind === "joined") return;
    this.noteArrivals(page.tasks);
    this.snapshot(page);
  }

  private board(): Board {
    return this.client.getQueryData<Board>(keys.board) ?? EMPTY_BOARD;
  }

  private change(change: (board: Board) => Board): void {
    this.client.setQueryData<Board>(keys.board, (known) => change(known ?? EMPTY_BOARD));
  }

  private snapshot(page: Page): void {
    const hadPages = this.board().edges.size > 0;
    this.change((board) => takeSnapshot(board, page, Date.now()));
    const { filters } = this;
    if (!filters) return;
    // A thousand pages come back in the same moment: what each had read below is read again, spread.
    if (hadPages) setTimeout(() => { void this.want(filters); }, Math.random() * REREAD_SPREAD_MS);
    else void this.want(filters);
  }

  private noteArrivals(rows: readonly Row[]): void {
    const board = this.board();
    if (board.asOf === 0) return;
    const now = Date.now(), young = serverNow() - YOUNG_MS;
    for (const [id, at] of this.arrivals) if (now - at > YOUNG_MS) this.arrivals.delete(id);
    for (const row of rows) {
      if (!board.rows.has(row.taskId) && Date.parse(row.createdAt) > young) this.arrivals.set(row.taskId, now);
    }
  }

  private take(changes: readonly Change[]): void {
    const rows = changes.flatMap((c) => (c.kind === "row" ? [c.row] : []));
    const known = this.board().rows;
    this.noteArrivals(rows);
    const isWorded = this.filters !== null && wordsOf(this.filters.words).length > 0;
    const mayBeFound = isWorded && rows.some((row) => known.get(row.taskId)?.title !== row.title);
    this.change((board) => takeChanges(board, changes, Date.now()));
    if (mayBeFound) this.searchSoon();
  }

  /** Descriptions are searched by the server alone: a new or edited task may belong here. */
  private searchSoon(): void {
    this.searchTimer ??= setTimeout(() => {
      this.searchTimer = null;
      const { filters } = this;
      if (filters) for (const section of sectionsOf(filters)) void this.read(filters, section, null);
    }, SEARCH_AGAIN_MS);
  }

  private async ensure(filters: Filters, section: Section): Promise<void> {
    const edge = edgeOf(this.board(), filters, section);
    if (!edge) return this.read(filters, section, null);
    if (edge.isStale && edge.cursor !== null) return this.readAgain(filters, section, edge.time);
    const list = listsOf(this.board(), filters, this.me)[section];
    if (list.hasMore && list.ids.length < ENOUGH_ROWS && edge.cursor) await this.read(filters, section, edge.cursor);
  }

  private async read(filters: Filters, section: Section, cursor: string | null): Promise<void> {
    const query = listQuery(filters, section);
    await this.asking(query, async () => {
      const page = await fetchPage(this.api, query, cursor);
      this.change((board) => takePage(board, query, filters.sort, page, cursor));
    });
  }

  /** As far as it had been read before, in one step, so that nothing shrinks on the way. */
  private async readAgain(filters: Filters, section: Section, until: string | null): Promise<void> {
    const query = listQuery(filters, section);
    await this.asking(query, async () => {
      const pages: { page: Page; after: string | null }[] = [];
      let cursor: string | null = null;
      do {
        const page: Page = await fetchPage(this.api, query, cursor, PAGE_ROWS);
        pages.push({ page, after: cursor });
        cursor = page.nextCursor ?? null;
        const last = page.tasks.at(-1);
        const time = filters.sort === "updated" ? last?.updatedAt : last?.createdAt;
        if (!time || (until !== null && time <= until)) break;
      } while (cursor !== null);
      this.change((board) => {
        const read = pages.reduce((b, { page, after }) => takePage(b, query, filters.sort, page, after), board);
        const edge = edgeOf(read, filters, section);
        return edge ? dropLeftovers(read, isOfList(filters, section, this.me, edge)) : read;
      });
    });
  }

  private async asking(query: string, ask: () => Promise<void>): Promise<void> {
    const { asked } = this.loading.get();
    if (asked.has(query)) return;
    this.loading.set({ asked: new Set([...asked, query]), problem: null });
    let problem: string | null = null;
    try {
      await ask();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const still = new Set(this.loading.get().asked);
    still.delete(query);
    this.loading.set({ asked: still, problem: problem ?? this.loading.get().problem });
  }
}
