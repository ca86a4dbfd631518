// NoticeFeed.ts - what a person has been told and has not read: fetched when the page begins and
// whenever something may have been missed, added to as it comes, and announced once.
import type { QueryClient } from "@tanstack/react-query";
import { fetchNotices, readNotices } from "../api/calls";
import type { Api } from "../api/client";
import type { Notice } from "../model/wire";
import { keys } from "../store/keys";
import { DASHBOARD, type LiveClient } from "./LiveClient";
import { Store } from "./store";

const KEPT_MAX = 200;
const ANNOUNCED_MAX = 3;
const SPREAD_MS = 2000;

export class NoticeFeed {
  /** What is to be shown as toasts now, oldest first. */
  readonly announced = new Store<readonly Notice[]>([]);
  /** Read on this page: still listed, but no longer counted. */
  readonly read = new Store<ReadonlySet<string>>(new Set());
  private isAsking = false;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly live: LiveClient, private readonly api: Api, private readonly client: QueryClient) {}

  attach(): () => void {
    const { socket } = this.live;
    const onNotice = (notice: Notice): void => this.add([notice]);
    const onConnect = (): void => { if (!socket.recovered) void this.fetch(); };
    // A snapshot for a room that we are in already: the server could not prove that nothing was
    // lost, and what is told to a person has no snapshot of its own.
    const onSnapshot = (room: string): void => { if (this.live.rooms.state(room).get().kind === "joined") this.fetchSoon(); };
    const onBoard = (): void => onSnapshot(DASHBOARD);
    const onTask = ({ taskId }: { taskId: string }): void => onSnapshot(taskId);
    socket.on("user:notification", onNotice);
    socket.on("connect", onConnect);
    socket.on("dashboard:state", onBoard);
    socket.on("task:state", onTask);
    return () => {
      if (this.timer !== null) clearTimeout(this.timer);
      socket.off("dashboard:state", onBoard);
      socket.off("task:state", onTask);
      socket.off("user:notification", onNotice);
      socket.off("connect", onConnect);
    };
  }

  /** Ask what is unread. The first answer of a page is no news; later ones may be. */
  async fetch(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    const isFirst = this.client.getQueryData(keys.notices) === undefined;
    try {
      const notices = await fetchNotices(this.api);
      if (isFirst) this.client.setQueryData(keys.notices, notices);
      else this.replace(notices);
    } catch {
      // The bell keeps what it has; the next connection asks again.
    } finally {
      this.isAsking = false;
    }
  }

  /** Many pages hear of the same gap in the same moment, and each in all of its rooms. */
  private fetchSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.fetch();
    }, Math.random() * SPREAD_MS);
  }

  async markRead(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const before = this.read.get();
    this.read.set(new Set([...before, ...ids]));
    this.dismiss(ids);
    try {
      await this.tell(ids);
    } catch {
      this.read.set(before); // it stays unread, here and there
    }
  }

  dismiss(ids: readonly string[]): void {
    this.announced.set(this.announced.get().filter((n) => !ids.includes(n.id)));
  }

  private async tell(ids: readonly string[]): Promise<void> {
    const { socket } = this.live;
    if (socket.connected) {
      const answer = await socket.timeout(5000).emitWithAck("notification:read", { ids: [...ids] }).catch(() => null);
      if (answer?.ok) return;
    }
    await readNotices(this.api, ids);
  }

  private known(): readonly Notice[] {
    return this.client.getQueryData<Notice[]>(keys.notices) ?? [];
  }

  private replace(notices: readonly Notice[]): void {
    const known = new Set(this.known().map((n) => n.id));
    const read = this.known().filter((n) => this.read.get().has(n.id));
    const unread = notices.filter((n) => !this.read.get().has(n.id));
    this.client.setQueryData(keys.notices, [...unread, ...read]);
    this.announce(unread.filter((n) => !known.has(n.id)));
  }

  private add(notices: readonly Notice[]): void {
    const known = this.known();
    const fresh = notices.filter((n) => !known.some((k) => k.id === n.id));
    if (fresh.length === 0) return;
    this.client.setQueryData(keys.notices, [...fresh, ...known].slice(0, KEPT_MAX));
    this.announce(fresh);
  }

  private announce(notices: readonly Notice[]): void {
    if (notices.length === 0) return;
    const tasks = new Set(notices.map((n) => n.taskId));
    const others = this.announced.get().filter((n) => !tasks.has(n.taskId)); // what is newer says more
    this.announced.set([...others, ...notices].slice(-ANNOUNCED_MAX));
  }
}
