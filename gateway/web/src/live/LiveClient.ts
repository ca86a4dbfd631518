// LiveClient.ts - the page's one Socket.IO connection: brings it up, keeps it up, and says
// truly how it stands.
//
// Reconnecting is done here and not by the library's manager, for three things that it cannot:
// say when the next attempt comes; come back after the server has ended the socket ("io server
// disconnect") or refused it; and try at once when the network or the person returns. What the
// library does know, recovery (`socket.recovered`), stays with the socket and needs nothing.
//
// Websocket first; where it fails, polling in the same attempt (`tryAllTransports`); where it
// hangs, so that the attempt itself runs out of time, polling first in the next one.
import { io, type Socket } from "socket.io-client";
import type { Ack, ClientToServerEvents, ServerToClientEvents } from "../model/wire";
import { waitBefore } from "./backoff";
import { happen, OFF, type Connection, type Happening } from "./connection";
import { Rooms } from "./rooms";
import { Store } from "./store";

export type LiveSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

export interface LiveOptions {
  /** The gateway's origin; empty: the page's own. */
  url: string;
  /** A token that was not used before, for each attempt. Null: nobody is signed in. */
  freshToken: () => Promise<string | null>;
  /** The server would not have the token, twice in a row: who is here must sign in again. */
  onRejected: (message: string) => void;
  /** The server said that live updates are off for this person. */
  onFeatureOff: () => void;
}

export const DASHBOARD = "dashboard";
const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 10_000;
const OFFLINE_RETRY_MS = 30_000;
const TICK_MS = 5000;
const SLEPT_MS = 15_000;
const AWAY_MS = 5000;
const CROWDED_MS = 30_000;                       // until another page of this person may have been closed
const BAD_TOKEN: ReadonlySet<string> = new Set(["unauthorized", "token_expired", "revoked"]);

export class LiveClient {
  readonly socket: LiveSocket;
  readonly connection = new Store<Connection>(OFF);
  readonly rooms: Rooms;

  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private tick: ReturnType<typeof setInterval> | null = null;
  private lastTick = 0;
  private hiddenAt: number | null = null;
  private badTokens = 0;
  private isCrowded = false;
  private resyncing: Promise<void> | null = null;
  private isRunning = false;

  constructor(private readonly options: LiveOptions) {
    this.socket = io(options.url || window.location.origin, {
      autoConnect: false,
      reconnection: false,
      forceNew: true,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: CONNECT_TIMEOUT_MS,
      auth: (give) => { void this.giveToken(give); },
    });
    this.rooms = new Rooms({
      join: (room) => this.askJoin(room),
      leave: (room) => {
        if (room === DASHBOARD) this.socket.emit("dashboard:leave", {});
        else this.socket.emit("task:leave", { taskId: room });
      },
    }, () => this.happened({ kind: "caught_up" }));
    this.listen();
  }

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.lastTick = Date.now();
    this.tick = setInterval(() => this.onTick(), TICK_MS);
    window.addEventListener("online", this.onOnline);
    window.addEventListener("offline", this.onOffline);
    document.addEventListener("visibilitychange", this.onVisibility);
    window.addEventListener("pageshow", this.onPageShow);
    this.attempt();
  }

  /** `isOff`: the person's flags say that the page fetches. */
  stop(isOff = false): void {
    this.isRunning = false;
    this.clearRetry();
    if (this.tick !== null) clearInterval(this.tick);
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("offline", this.onOffline);
    document.removeEventListener("visibilitychange", this.onVisibility);
    window.removeEventListener("pageshow", this.onPageShow);
    this.rooms.close();
    this.happened({ kind: isOff ? "switched_off" : "stop" });
    this.socket.disconnect();
  }

  /** Try now rather than when the wait is over. */
  retryNow(): void {
    const { phase } = this.connection.get();
    if (this.isRunning && (phase === "waiting" || phase === "offline")) this.attempt();
  }

  /** Ask for fresh snapshots of all rooms; a connection that does not answer is given up. */
  resync(): Promise<void> {
    this.resyncing ??= this.askSnapshots().finally(() => { this.resyncing = null; });
    return this.resyncing;
  }

  // --- coming and going ---

  private happened(h: Happening): void {
    this.connection.set(happen(this.connection.get(), h, Date.now()));
  }

  private clearRetry(): void {
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.retryTimer = null;
  }

  private attempt(): void {
    this.clearRetry();
    if (!this.isRunning || this.socket.connected) return;
    this.happened({ kind: "begin" });
    this.socket.connect();
  }

  private lost(): void {
    this.rooms.close();
    if (!this.isRunning) return;
    this.clearRetry();
    const isOnline = navigator.onLine, { isCrowded } = this;
    this.isCrowded = false;
    const soon = waitBefore(this.connection.get().attempt);
    const wait = !isOnline ? OFFLINE_RETRY_MS : isCrowded ? CROWDED_MS + soon : soon;
    this.happened({ kind: "lost", retryAt: Date.now() + wait, isOnline, isCrowded });
    this.retryTimer = setTimeout(() => this.attempt(), wait);
  }

  private async giveToken(give: (auth: { token?: string }) => void): Promise<void> {
    try {
      const token = await this.options.freshToken();
      give(token === null ? {} : { token });
    } catch {
      this.socket.io.engine.close(); // whoever gives tokens is away: the next attempt asks again
    }
  }

  private listen(): void {
    this.socket.on("connect", () => {
      this.badTokens = 0;
      this.happened({ kind: "arrived" });
      this.rooms.open(this.socket.recovered);
    });
    this.socket.on("disconnect", () => this.lost());
    this.socket.on("connect_error", (error) => this.refused(error));
    this.socket.on("task:evicted", ({ taskId, reason }) => this.rooms.doubted(taskId, "not_found", reason));
    this.socket.on("error", ({ taskId, code, message }) => {
      if (taskId) this.rooms.doubted(taskId, code, message);
      else if (code === "feature_off") this.rooms.doubted(DASHBOARD, code, message);
      else if (code === "too_many_connections") this.isCrowded = true; // the server ends this one next
    });
    this.socket.on("auth:expiring", () => { void this.refreshToken(); });
  }

  private refused(error: Error & { data?: { code?: string } }): void {
    const code = error.data?.code;
    if (error.message === "timeout") this.socket.io.opts.transports = ["polling", "websocket"];
    if (code === "feature_off") {
      this.options.onFeatureOff();
      return;
    }
    this.isCrowded = code === "too_many_connections";
    if (code !== undefined && BAD_TOKEN.has(code) && ++this.badTokens > 1) {
      this.badTokens = 0;
      this.options.onRejected(error.message);
      return;
    }
    this.lost();
  }

  private async refreshToken(): Promise<void> {
    try {
      const token = await this.options.freshToken();
      if (token !== null) await this.socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("auth:refresh", { token });
    } catch {
      // No token, or no answer: the connection ends with its token, and the next attempt asks again.
    }
  }

  private askJoin(room: string): Promise<Ack> {
    const patient = this.socket.timeout(ANSWER_TIMEOUT_MS);
    return room === DASHBOARD
      ? patient.emitWithAck("dashboard:join", {})
      : patient.emitWithAck("task:join", { taskId: room });
  }

  private async askSnapshots(): Promise<void> {
    for (let attempt = 0; this.socket.connected && this.rooms.joined().length > 0; attempt++) {
      this.happened({ kind: "catch_up" });
      try {
        const answer: Ack = await this.socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("resync_requested", {});
        if (answer.ok || answer.error.code !== "too_many") break;
      } catch {
        this.socket.io.engine.close(); // half-open: nobody has been there for a while
        return;
      }
      await new Promise((done) => setTimeout(done, 500 + waitBefore(attempt)));
    }
    if (this.rooms.isSettled()) this.happened({ kind: "caught_up" });
  }

  // --- the world around ---

  /** A timer that comes much too late: the computer slept, or the tab was frozen. */
  private onTick(): void {
    const now = Date.now(), slept = now - this.lastTick - TICK_MS;
    this.lastTick = now;
    if (slept > SLEPT_MS) this.wake();
  }

  private wake(): void {
    if (!this.socket.connected) this.retryNow();
    else if (!document.hidden) void this.resync(); // a hidden tab asks when somebody comes back to it
  }

  private readonly onOnline = (): void => {
    this.happened({ kind: "network", isOnline: true, retryAt: Date.now() });
    this.retryNow();
  };

  private readonly onOffline = (): void => {
    if (this.socket.connected) this.socket.io.engine.close();
    else this.socket.disconnect();
    this.clearRetry();
    this.happened({ kind: "network", isOnline: false, retryAt: Date.now() + OFFLINE_RETRY_MS });
    this.retryTimer = setTimeout(() => this.attempt(), OFFLINE_RETRY_MS);
  };

  private readonly onVisibility = (): void => {
    if (document.hidden) {
      this.hiddenAt = Date.now();
      return;
    }
    const away = this.hiddenAt === null ? 0 : Date.now() - this.hiddenAt;
    this.hiddenAt = null;
    if (!this.socket.connected) this.retryNow();
    else if (away > AWAY_MS) void this.resync();
  };

  private readonly onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted) this.wake();
  };
}
