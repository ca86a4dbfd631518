import { describe, expect, it } from "vitest";
import { waitBefore } from "../../src/live/backoff";
import { happen, isStale, OFF, wordsFor, type Connection, type Happening } from "../../src/live/connection";

function after(...happenings: readonly (readonly [number, Happening])[]): Connection {
  return happenings.reduce((c, [at, h]) => happen(c, h, at), OFF);
}

const BEGIN: Happening = { kind: "begin" }, ARRIVED: Happening = { kind: "arrived" }, CAUGHT_UP: Happening = { kind: "caught_up" };
const lost = (retryAt: number, isOnline = true): Happening => ({ kind: "lost", retryAt, isOnline });

describe("the connection", () => {
  it("comes up through catching up to live", () => {
    expect(after([1, BEGIN]).phase).toBe("connecting");
    expect(after([1, BEGIN], [2, ARRIVED]).phase).toBe("catching_up");
    const live = after([1, BEGIN], [2, ARRIVED], [3, CAUGHT_UP]);
    expect(live).toMatchObject({ phase: "live", since: 3, attempt: 0, epoch: 1 });
    expect(wordsFor(live, 9, 5000)).toBe("live");
  });

  it("counts down to the next attempt, in words", () => {
    const waiting = after([1, BEGIN], [2, ARRIVED], [3, CAUGHT_UP], [10_000, lost(12_500)]);
    expect(wordsFor(waiting, 10_000, 5000)).toBe("reconnecting in 3 s");
    expect(wordsFor(waiting, 11_600, 5000)).toBe("reconnecting in 1 s");
    expect(wordsFor(waiting, 12_500, 5000)).toBe("reconnecting");
    expect(isStale(waiting)).toBe(true);
  });

  it("says so where the server has no place for one more page of this person", () => {
    const full = after([1, BEGIN], [2, { kind: "lost", retryAt: 40_000, isOnline: true, isCrowded: true }]);
    expect(wordsFor(full, 10_000, 5000)).toBe("too many pages open, next try in 30 s");
    expect(happen(happen(full, BEGIN, 40_000), ARRIVED, 40_001).isCrowded).toBe(false);
    expect(happen(full, lost(50_000), 40_000).isCrowded).toBe(false);
  });

  it("remembers when it was last true through all failed attempts", () => {
    const c = after([1, BEGIN], [2, ARRIVED], [3, CAUGHT_UP], [100, lost(200)], [200, BEGIN], [250, lost(900)], [900, BEGIN]);
    expect(c).toMatchObject({ phase: "connecting", lostAt: 100, attempt: 2 });
    expect(wordsFor(c, 900, 5000)).toBe("reconnecting");
    expect(isStale(c)).toBe(true);
  });

  it("says that it connects the first time, and that nothing is stale yet", () => {
    const c = after([1, BEGIN]);
    expect(wordsFor(c, 2, 5000)).toBe("connecting");
    expect(isStale(c)).toBe(false);
  });

  it("is offline without a network, and waits when there is one again", () => {
    const offline = after([1, BEGIN], [2, ARRIVED], [3, CAUGHT_UP], [10, lost(30_010, false)]);
    expect(wordsFor(offline, 11, 5000)).toBe("offline");
    expect(happen(offline, { kind: "network", isOnline: true, retryAt: 20 }, 20).phase).toBe("waiting");
  });

  it("catches up again while it is live, and only then", () => {
    const live = after([1, BEGIN], [2, ARRIVED], [3, CAUGHT_UP]);
    expect(happen(live, { kind: "catch_up" }, 4).phase).toBe("catching_up");
    expect(happen(after([1, BEGIN]), { kind: "catch_up" }, 4).phase).toBe("connecting");
    expect(happen(after([1, BEGIN]), CAUGHT_UP, 4).phase).toBe("connecting");
  });

  it("fetches where live updates are switched off, whatever the socket does then", () => {
    const c = after([1, BEGIN], [2, { kind: "switched_off" }], [3, lost(9)]);
    expect(c.phase).toBe("fetching");
    expect(wordsFor(c, 9, 5000)).toBe("refreshing every 5 s");
  });
});

describe("the wait before an attempt", () => {
  it("doubles, is never nothing, and never more than half a minute", () => {
    for (let attempt = 0; attempt < 100; attempt++) {
      const least = waitBefore(attempt, () => 0), most = waitBefore(attempt, () => 1);
      expect(least).toBeGreaterThanOrEqual(300);
      expect(most).toBeLessThanOrEqual(30_000);
      expect(most).toBe(2 * least);
    }
    expect(waitBefore(3, () => 1)).toBe(2 * waitBefore(2, () => 1));
    expect(waitBefore(50, () => 1)).toBe(30_000);
  });
});
