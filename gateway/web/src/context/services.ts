// services.ts - what works for one signed-in person: made when they come, ended when they go.
import { QueryClient } from "@tanstack/react-query";
import { fetchFeatures } from "../api/calls";
import { Api } from "../api/client";
import { BoardFeed } from "../live/BoardFeed";
import { DASHBOARD, LiveClient } from "../live/LiveClient";
import { NoticeFeed } from "../live/NoticeFeed";
import { TaskFeed } from "../live/TaskFeed";
import type { Person } from "../model/wire";
import type { Session } from "../session/Session";
import { keep } from "../store/cache";
import { ownerOf, type Database } from "../store/db";
import { keys } from "../store/keys";
import { Outbox } from "../store/Outbox";

const FEATURES_MS = 60_000;

export class Services {
  readonly client = new QueryClient({
    defaultOptions: { queries: { staleTime: Infinity, gcTime: Infinity, retry: false, refetchOnWindowFocus: false } },
  });
  readonly api: Api;
  readonly live: LiveClient;
  readonly board: BoardFeed;
  readonly notices: NoticeFeed;
  readonly outbox: Outbox;

  private enders: (() => void)[] = [];
  private featuresTimer: ReturnType<typeof setInterval> | null = null;
  private isClosed = false;

  constructor(readonly person: Person, session: Session, private readonly db: Database, url: string) {
    this.api = new Api(url, session);
    this.live = new LiveClient({
      url,
      freshToken: () => session.fresh(),
      onRejected: () => session.rejected("Your session has ended. Sign in again."),
      onFeatureOff: () => this.live.stop(true),
    });
    this.board = new BoardFeed(this.live, this.api, this.client, person.sub);
    this.notices = new NoticeFeed(this.live, this.api, this.client);
    this.outbox = new Outbox(db, this.api, ownerOf(person), () => {
      if (this.live.connection.get().phase === "fetching") void this.board.poll().catch(() => undefined);
    });
  }

  /** What is kept comes first, so that the first paint shows it; then the network. */
  async open(): Promise<void> {
    const end = await keep(this.client, this.db, this.person);
    if (this.isClosed) {
      end();
      return;
    }
    this.enders.push(end, this.board.attach(), this.notices.attach(), new TaskFeed(this.live, this.client).attach());
    this.enders.push(this.live.connection.subscribe(() => {
      if (this.live.connection.get().phase === "live") this.outbox.retry();
    }));
    const onOnline = (): void => this.outbox.retry();
    window.addEventListener("online", onOnline);
    this.enders.push(() => window.removeEventListener("online", onOnline));
    this.live.start();
    void this.outbox.open();
    void this.notices.fetch();
    void this.askFeatures();
    this.featuresTimer = setInterval(() => { if (!document.hidden) void this.askFeatures(); }, FEATURES_MS);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.featuresTimer !== null) clearInterval(this.featuresTimer);
    this.enders.forEach((end) => end());
    this.outbox.close();
    this.live.stop();
    this.client.clear();
  }

  /** The person's flags may change while the page is open. */
  private async askFeatures(): Promise<void> {
    const now = await fetchFeatures(this.api).catch(() => null);
    if (!now || this.isClosed) return;
    this.client.setQueryData(keys.features, now);
    const { phase } = this.live.connection.get();
    if (!now.websocket && phase !== "fetching") this.live.stop(true);
    else if (now.websocket && phase === "fetching") this.live.start();
    else this.live.rooms.retryFeatures((room) => (room === DASHBOARD ? now.dashboard : now.taskDetail));
  }
}
