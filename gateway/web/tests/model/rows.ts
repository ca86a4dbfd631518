// rows.ts - rows, snapshots and tasks as the server sends them, for tests to vary.
import type { Counts, Row, Snapshot, Task, TimelineEvent } from "../../src/model/wire";

export const NO_COUNTS: Counts = { activeCount: 0, completedCount: 0, failedCount: 0, rev: 0 };

export function id(n: number): string {
  return n.toString(16).padStart(24, "0");
}

/** The n-th minute of a day. */
export function minute(n: number): string {
  return new Date(Date.UTC(2026, 10, 21, 0, n)).toISOString();
}

export function row(n: number, more: Partial<Row> = {}): Row {
  return {
    taskId: id(n), seq: 1, status: "received", statusSince: minute(n), title: `Task ${n}`, creator: "Ann", createdBy: "ann",
    isPrivate: false, createdAt: minute(n), updatedAt: minute(n), ...more,
  };
}

export function snapshot(tasks: readonly Row[], more: Partial<Snapshot> = {}): Snapshot {
  return { tasks: [...tasks], ...NO_COUNTS, private: NO_COUNTS, ...more };
}

export function event(seq: number, eventType: TimelineEvent["eventType"], payload: TimelineEvent["payload"] = {}): TimelineEvent {
  return { seq, eventType, payload, actor: "/test", createdAt: minute(seq) };
}

export function task(more: Partial<Task> = {}): Task {
  return {
    taskId: id(1), seq: 1, title: "Door", description: "Make the door blue", status: "received", statusSince: minute(1),
    creator: "Ann", createdBy: "ann", orgId: "demo", isPrivate: false, createdAt: minute(1), updatedAt: minute(1),
    events: [event(1, "created")], ...more,
  };
}
