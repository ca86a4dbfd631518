// connection.ts - what is true of the connection, as a machine: events in, state out. Pure; the
// indicator reads it, LiveClient acts by it.
//
//   off → connecting → catching_up → live
//             ↑   └────────┴──────────┤ lost
//             └── waiting (until retryAt) / offline (until the network is back, or half a minute)
//
// `fetching`: live updates are switched off for this person; the page asks every few seconds.

export type Phase = "off" | "connecting" | "catching_up" | "live" | "waiting" | "offline" | "fetching";

export interface Connection {
  phase: Phase;
  /** When this phase began; for `waiting` and `offline`, when what is shown was last known to be true. */
  since: number;
  /** Attempts since it was last live. */
  attempt: number;
  /** When the next attempt begins (waiting, offline). */
  retryAt: number | null;
  /** When it was last live; null: never yet. */
  lostAt: number | null;
  /** How often it has come in: whoever waits for that compares. */
  epoch: number;
  /** The server has no place for one more of this person's pages. */
  isCrowded: boolean;
}

export type Happening =
  | { kind: "begin" }
  | { kind: "arrived" }
  | { kind: "caught_up" }
  | { kind: "catch_up" }
  | { kind: "lost"; retryAt: number; isOnline: boolean; isCrowded?: boolean }
  | { kind: "network"; isOnline: boolean; retryAt: number }
  | { kind: "switched_off" }
  | { kind: "stop" };

export const OFF: Connection = { phase: "off", since: 0, attempt: 0, retryAt: null, lostAt: null, epoch: 0, isCrowded: false };

function enter(c: Connection, phase: Phase, now: number, also: Partial<Connection> = {}): Connection {
  return { ...c, retryAt: null, ...also, phase, since: c.phase === phase ? c.since : now };
}

function isUp(phase: Phase): boolean {
  return phase === "live" || phase === "catching_up";
}

function lose(c: Connection, h: Happening & { kind: "lost" }, now: number): Connection {
  return enter(c, h.isOnline ? "waiting" : "offline", now, {
    retryAt: h.retryAt, attempt: c.attempt + 1, lostAt: isUp(c.phase) ? now : c.lostAt, isCrowded: h.isCrowded ?? false,
  });
}

export function happen(c: Connection, h: Happening, now: number): Connection {
  switch (h.kind) {
    case "begin":
      return isUp(c.phase) ? c : enter(c, "connecting", now);
    case "arrived":
      return enter(c, "catching_up", now, { epoch: c.epoch + 1, isCrowded: false });
    case "catch_up":
      return c.phase === "live" ? enter(c, "catching_up", now) : c;
    case "caught_up":
      return c.phase === "catching_up" ? enter(c, "live", now, { attempt: 0, lostAt: null }) : c;
    case "lost":
      return c.phase === "off" || c.phase === "fetching" ? c : lose(c, h, now);
    case "network":
      if (c.phase === "waiting" && !h.isOnline) return enter(c, "offline", now, { retryAt: h.retryAt });
      if (c.phase === "offline" && h.isOnline) return enter(c, "waiting", now, { retryAt: h.retryAt });
      return c;
    case "switched_off":
      return enter(c, "fetching", now, { attempt: 0, lostAt: null });
    case "stop":
      return enter(c, "off", now, { attempt: 0, lostAt: null });
  }
}

/** The indicator's words (PAGE's own). */
export function wordsFor(c: Connection, now: number, refreshMs: number): string {
  switch (c.phase) {
    case "off": return "signed out";
    case "connecting": return c.lostAt === null && c.attempt === 0 ? "connecting" : "reconnecting";
    case "catching_up": return "catching up";
    case "live": return "live";
    case "offline": return "offline";
    case "fetching": return `refreshing every ${Math.round(refreshMs / 1000)} s`;
    case "waiting": {
      const seconds = Math.ceil(Math.max(0, (c.retryAt ?? now) - now) / 1000);
      if (c.isCrowded) return `too many pages open, next try in ${Math.max(1, seconds)} s`;
      return seconds > 0 ? `reconnecting in ${seconds} s` : "reconnecting";
    }
  }
}

/** Is what the page shows older than it should be? */
export function isStale(c: Connection): boolean {
  return c.phase === "waiting" || c.phase === "offline" || (c.phase === "connecting" && c.lostAt !== null);
}
