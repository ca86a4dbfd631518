// BoardFeed.ts - keeps the dashboard of the query cache true: by its room where that is on, by
// asking now and then where it is not, and page by page for what lies below the snapshot.
import type { QueryClient } from "@tanstack/react-query";
import { fetchPage } from "../api/calls";
import type { Api } from "../api/client";
import {
  compare, dropLeftovers, EMPTY_BOARD, placeOf, takeChanges, takePage, takeSnapshot,
  type Asked, type Board, type Change, type Page, type Place,
} from "../model/board";
import { serverNow } from "../model/clock";
import { listQuery, sectionsOf, wordsOf, type Filters } from "../model/filters";
import { edgeOf, isOfList, listsOf } from "../model/lists";
import type { Row, Section } from "../model/wire";
import { keys } from "../store/keys";
import { Batcher } from "./batcher";
import { DASHBOARD, type LiveClient } from "./LiveClient";
import { Questions } from "./questions";

const ENOUGH_ROWS = 10;
const REREAD_SPREAD_MS = 2000;
const SEARCH_AGAIN_MS = 2000;
const YOUNG_MS = 60_000;
/** Above all rows: reading down to it takes one page. */
const FIRST_PAGE: Place = { time: "~", taskId: "~" };

export class BoardFeed {
  readonly questions = new Questions((query) => this.isWanted(query));
  /** Tasks that came while the page was open, and when: they are shown as new for a while. */
  readonly arrivals = new Map<string, number>();

  private readonly batcher = new Batcher<Change>((changes) => this.take(changes));
  /** What is shown now, by who shows it. */
  private readonly wanted = new Map<symbol, Filters>();
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
    const unsubscribe = this.live.connection.subscribe(() => {
      if (this.live.connection.get().phase === "live") this.questions.wake();
    });
    return () => {
      unsubscribe();
      this.wanted.clear();
      this.questions.wake();
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

  /** The lists that these filters need, asked for where they are not known, and kept whole until
   *  the function given back is called. */
  want(filters: Filters): () => void {
    const who = Symbol();
    this.wanted.set(who, filters);
    void this.ensureAll(filters);
    return () => { this.wanted.delete(who); };
  }

  /** Further down one list. */
  async more(filters: Filters, section: Section): Promise<void> {
    const edge = edgeOf(this.board(), filters, section);
    if (edge?.cursor) await this.read(filters, section, edge.cursor);
  }

  /** Ask again for what was refused. */
  again(): void {
    this.questions.forgive();
    for (const filters of this.wanted.values()) void this.ensureAll(filters);
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
    const read = (): void => { for (const filters of this.wanted.values()) void this.ensureAll(filters); };
    // A thousand pages come back in the same moment: what each had read below is read again, spread.
    if (hadPages) setTimeout(read, Math.random() * REREAD_SPREAD_MS);
    else read();
  }

  private isWanted(query: string): boolean {
    return [...this.wanted.values()].some((filters) => sectionsOf(filters).some((section) => listQuery(filters, section) === query));
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
    const isWorded = [...this.wanted.values()].some((filters) => wordsOf(filters.words).length > 0);
    const mayBeFound = isWorded && rows.some((row) => known.get(row.taskId)?.title !== row.title);
    this.change((board) => takeChanges(board, changes, Date.now()));
    if (mayBeFound) this.searchSoon();
  }

  /** Descriptions are searched by the server alone: a new or edited task may belong here. */
  private searchSoon(): void {
    this.searchTimer ??= setTimeout(() => {
      this.searchTimer = null;
      for (const filters of this.wanted.values()) {
        if (wordsOf(filters.words).length === 0) continue;
        for (const section of sectionsOf(filters)) void this.readAgain(filters, section);
      }
    }, SEARCH_AGAIN_MS);
  }

  private async ensureAll(filters: Filters): Promise<void> {
    this.questions.wake();
    if (!this.board().base) return; // the snapshot comes first, and may be all that is needed
    await Promise.all(sectionsOf(filters).map((section) => this.ensure(filters, section)));
  }

  private async ensure(filters: Filters, section: Section): Promise<void> {
    const query = listQuery(filters, section);
    await this.questions.settled(query);
    if (!this.isWanted(query)) return;
    const board = this.board(), edge = edgeOf(board, filters, section);
    if (!edge) return this.read(filters, section, null);
    if (edge.isStale && edge === board.edges.get(query)) return this.readAgain(filters, section);
    const list = listsOf(board, filters, this.me)[section];
    if (list.hasMore && list.ids.length < ENOUGH_ROWS && edge.cursor) await this.read(filters, section, edge.cursor);
  }

  private async read(filters: Filters, section: Section, after: string | null): Promise<void> {
    const query = listQuery(filters, section), { sort } = filters;
    await this.questions.ask(query, async () => {
      const { snapshots } = this.board();
      const page = await fetchPage(this.api, query, after);
      this.change((board) => takePage(board, page, { query, sort, after, snapshots }));
    });
  }

  /** As far as it had been read before, in one step, so that nothing shrinks on the way. */
  private async readAgain(filters: Filters, section: Section): Promise<void> {
    const query = listQuery(filters, section), { sort } = filters;
    await this.questions.ask(query, async () => {
      const { snapshots, edges } = this.board(), known = edges.get(query), first = { query, sort, after: null, snapshots };
      const pages = await this.pagesDownTo(known ? known.end : FIRST_PAGE, first);
      this.change((board) => {
        const read = pages.reduce((b, { page, asked }) => takePage(b, page, asked), board);
        const edge = read.edges.get(query);
        return edge && !edge.isStale ? dropLeftovers(read, isOfList(filters, section, this.me, edge)) : read;
      });
    });
  }

  /** A list's pages from the first to the one with `end` (null: to the last). */
  private async pagesDownTo(end: Place | null, first: Asked): Promise<{ page: Page; asked: Asked }[]> {
    const pages: { page: Page; asked: Asked }[] = [];
    for (let after: string | null = null; ;) {
      const page: Page = await fetchPage(this.api, first.query, after);
      pages.push({ page, asked: { ...first, after } });
      const last = page.tasks.at(-1);
      after = page.nextCursor ?? null;
      if (after === null || !last || (end && compare(placeOf(last, first.sort), end) >= 0)) return pages;
    }
  }
}
