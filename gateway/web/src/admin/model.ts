// model.ts - what operators look at: figures of now, their last minutes, and letters that
// were refused. Pure.

export interface Replica {
  id: string;
  version: string;
  state: "ready" | "not ready" | "draining";
  at: string;
  connections: number;
  connectedUsers: number;
  messagesPerSecond: number;
  totalErrors: number;
}

/** GET /api/health?cluster=1. */
export interface ClusterHealth {
  status: "ok" | "degraded";
  websocket: { connectedUsers: number; messagesPerSecond: number; totalErrors: number };
  dependencies: Record<string, boolean>;
  replicas?: Replica[];
  isComplete?: boolean;
}

/** GET /api/admin/status. */
export interface TaskdStatus {
  status: "ok" | "degraded";
  dependencies: Record<string, string>;
  version: string;
  time: string;
  unpublished: number;
  ingest: { isHolder: boolean; waiting: number; streamLength?: number; lagMs?: number; deadLetters?: number };
}

export interface DeadLetter {
  id: string;
  event?: string;
  code?: string;
  reason?: string;
}

/** Null: it could not be known just then; the plot has a gap. */
export interface Sample {
  at: number;
  connections: number | null;
  messages: number | null;
  /** Since the sample before. */
  errors: number | null;
  lagMs: number | null;
  outbox: number | null;
  dead: number | null;
  /** Messages a second, by replica. */
  byReplica: ReadonlyMap<string, number>;
}

export interface Look {
  at: number;
  health: ClusterHealth | null;
  status: TaskdStatus | null;
}

export interface History {
  samples: readonly Sample[];
  /** Errors told so far, by replica: a new one begins at nothing, one that has gone takes its own along. */
  errors: ReadonlyMap<string, number>;
}

export const NO_HISTORY: History = { samples: [], errors: new Map() };
export const SAMPLES_KEPT = 90;

function errorsSince(before: ReadonlyMap<string, number>, replicas: readonly Replica[], isFirst: boolean): number {
  if (isFirst) return 0;
  return replicas.reduce((sum, r) => sum + Math.max(0, r.totalErrors - (before.get(r.id) ?? 0)), 0);
}

export function takeLook(history: History, { at, health, status }: Look): History {
  const replicas = health?.replicas ?? null;
  const sample: Sample = {
    at,
    connections: replicas && replicas.reduce((sum, r) => sum + r.connections, 0),
    messages: health && health.websocket.messagesPerSecond,
    errors: replicas && errorsSince(history.errors, replicas, history.errors.size === 0),
    lagMs: status?.ingest.lagMs ?? null,
    outbox: status?.unpublished ?? null,
    dead: status?.ingest.deadLetters ?? null,
    byReplica: new Map(replicas?.map((r) => [r.id, r.messagesPerSecond])),
  };
  return {
    samples: [...history.samples, sample].slice(-SAMPLES_KEPT),
    errors: replicas ? new Map(replicas.map((r) => [r.id, r.totalErrors])) : history.errors,
  };
}

/** A plot's line as SVG path data, the newest at the right edge; gaps where nothing is known. */
export function pathOf(values: readonly (number | null)[], width: number, height: number): string {
  const most = Math.max(1, ...values.map((v) => v ?? 0));
  const step = width / (SAMPLES_KEPT - 1);
  const offset = SAMPLES_KEPT - values.length;
  let isDown = false;
  return values.map((value, i) => {
    const letter = isDown ? "L" : "M";
    isDown = value !== null;
    if (value === null) return "";
    return `${letter}${((offset + i) * step).toFixed(1)} ${(height - (value / most) * height).toFixed(1)}`;
  }).join("");
}

const whole = new Intl.NumberFormat("en");
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export function countWords(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : whole.format(value);
}

export function rateWords(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : oneDigit.format(value);
}

export function lagWords(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? `${ms} ms` : `${oneDigit.format(ms / 1000)} s`;
}

export interface LetterView {
  input: string;
  taskId: string | null;
  source: string;
  at: number;
}

const TASK_ID = /^[0-9a-f]{24}$/;

/** What can be read of a refused input, which may be anything. */
export function readLetter(letter: DeadLetter): LetterView {
  let event: Record<string, unknown> = {};
  try {
    const said: unknown = JSON.parse(letter.event ?? "");
    if (typeof said === "object" && said !== null) event = said as Record<string, unknown>;
  } catch {
    // it was refused for that, perhaps
  }
  const text = (name: string): string => (typeof event[name] === "string" ? event[name] : "");
  return {
    input: text("type").replace(/^task\./, "") || "unreadable",
    taskId: TASK_ID.test(text("subject")) ? text("subject") : null,
    source: text("source"),
    at: Number(letter.id.split("-")[0]),
  };
}
