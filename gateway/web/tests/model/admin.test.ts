// The operators' page: its figures from one look to the next, its plots, and letters that may
// hold anything.
import { expect, test } from "vitest";
import { lagWords, NO_HISTORY, pathOf, readLetter, SAMPLES_KEPT, takeLook, type ClusterHealth, type Replica, type TaskdStatus } from "../../src/admin/model";

function replica(id: string, some: Partial<Replica> = {}): Replica {
  return { id, version: "1", state: "ready", at: "2026-11-21T02:00:00.000Z", connections: 10, connectedUsers: 5, messagesPerSecond: 2, totalErrors: 0, ...some };
}

function health(...replicas: Replica[]): ClusterHealth {
  return {
    status: "ok", replicas, isComplete: true, dependencies: { redis: true, taskd: true },
    websocket: { connectedUsers: 9, messagesPerSecond: replicas.reduce((n, r) => n + r.messagesPerSecond, 0), totalErrors: 0 },
  };
}

const status: TaskdStatus = {
  status: "ok", dependencies: { store: "up", redis: "up" }, version: "1", time: "2026-11-21T02:00:00.000Z", unpublished: 3,
  ingest: { isHolder: true, waiting: 0, streamLength: 4, lagMs: 250, deadLetters: 2 },
};

test("figures add the replicas up; errors are those since the look before", () => {
  let h = takeLook(NO_HISTORY, { at: 1, health: health(replica("a", { totalErrors: 40 }), replica("b")), status });
  expect(h.samples[0]).toMatchObject({ connections: 20, messages: 4, errors: 0, lagMs: 250, outbox: 3, dead: 2 });
  h = takeLook(h, { at: 2, health: health(replica("a", { totalErrors: 43 }), replica("b", { totalErrors: 1 })), status });
  expect(h.samples[1]?.errors).toBe(4);
  // One has gone, another has come, the third began anew: no error is negative, none counts twice.
  h = takeLook(h, { at: 3, health: health(replica("b", { totalErrors: 0 }), replica("c", { totalErrors: 2 })), status });
  expect(h.samples[2]?.errors).toBe(2);
  expect(h.samples[2]?.byReplica).toEqual(new Map([["b", 2], ["c", 2]]));
});

test("what could not be asked is not known, and is not nothing", () => {
  let h = takeLook(NO_HISTORY, { at: 1, health: health(replica("a", { totalErrors: 7 })), status });
  h = takeLook(h, { at: 2, health: null, status: null });
  expect(h.samples[1]).toMatchObject({ connections: null, messages: null, errors: null, lagMs: null, outbox: null, dead: null });
  h = takeLook(h, { at: 3, health: health(replica("a", { totalErrors: 9 })), status: null });
  expect(h.samples[2]?.errors).toBe(2);
});

test("only the last minutes are kept", () => {
  let h = NO_HISTORY;
  for (let at = 0; at < SAMPLES_KEPT + 5; at++) h = takeLook(h, { at, health: health(replica("a")), status });
  expect(h.samples).toHaveLength(SAMPLES_KEPT);
  expect(h.samples[0]?.at).toBe(5);
});

test("a plot ends at its right edge, reaches from ground to top, and has gaps", () => {
  expect(pathOf([0, 10, 5], 89, 20)).toBe("M87.0 20.0L88.0 0.0L89.0 10.0");
  expect(pathOf([4, null, 2, 4], 89, 20)).toBe("M86.0 0.0M88.0 10.0L89.0 0.0");
  expect(pathOf([0, 0], 89, 20)).toBe("M88.0 20.0L89.0 20.0");
  expect(pathOf([], 89, 20)).toBe("");
});

test("a dead letter says what can be read of it", () => {
  const id = "1732155360000-7", taskId = "65f0c0ffee65f0c0ffee6501";
  expect(readLetter({ id, event: JSON.stringify({ type: "task.coding", subject: taskId, source: "/agent" }) }))
    .toEqual({ input: "coding", taskId, source: "/agent", at: 1_732_155_360_000 });
  for (const event of [undefined, "", "{", "null", "[1]", "\"x\"", JSON.stringify({ type: 7, subject: "../../x", source: null })]) {
    expect(readLetter({ id, ...(event === undefined ? {} : { event }) })).toEqual({ input: "unreadable", taskId: null, source: "", at: 1_732_155_360_000 });
  }
});

test("lags are said in what fits them", () => {
  expect([null, 0, 999, 1000, 61_250].map(lagWords)).toEqual(["–", "0 ms", "999 ms", "1 s", "61.3 s"]);
});
