import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Batcher } from "../../src/live/batcher";
import { Rooms, type Door } from "../../src/live/rooms";
import type { Ack, ErrorCode } from "../../src/model/wire";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** A server's door that a test opens by hand. */
class Hall implements Door {
  asked: string[] = [];
  left: string[] = [];
  private waiting: { answer: (a: Ack) => void; lose: () => void }[] = [];

  join(room: string): Promise<Ack> {
    this.asked.push(room);
    return new Promise((answer, reject) => { this.waiting.push({ answer, lose: () => reject(new Error("lost")) }); });
  }

  leave(room: string): void {
    this.left.push(room);
  }

  async say(...answers: (ErrorCode | "ok" | "lost")[]): Promise<void> {
    for (const answer of answers) {
      const next = this.waiting.shift();
      if (answer === "ok") next?.answer({ ok: true });
      else if (answer === "lost") next?.lose();
      else next?.answer({ ok: false, error: { code: answer, message: answer } });
      await vi.advanceTimersByTimeAsync(0);
    }
  }
}

function setUp(): { hall: Hall; rooms: Rooms; settled: () => number } {
  const hall = new Hall();
  const onSettled = vi.fn();
  return { hall, rooms: new Rooms(hall, onSettled), settled: () => onSettled.mock.calls.length };
}

describe("rooms", () => {
  it("are joined once, however many ask, and left when nobody does", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    const leave = [rooms.enter("a"), rooms.enter("a")];
    await hall.say("ok");
    expect(hall.asked).toEqual(["a"]);
    leave[0]?.();
    await vi.advanceTimersByTimeAsync(5000);
    expect(hall.left).toEqual([]);
    leave[1]?.();
    leave[1]?.();
    await vi.advanceTimersByTimeAsync(5000);
    expect(hall.left).toEqual(["a"]);
  });

  it("stay joined for who comes back within a moment", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    const leave = rooms.enter("a");
    await hall.say("ok");
    leave();
    rooms.enter("a");
    await vi.advanceTimersByTimeAsync(5000);
    expect(hall.left).toEqual([]);
    expect(hall.asked).toEqual(["a"]);
  });

  it("are asked for again after Too many requests, later and later", async () => {
    const { hall, rooms, settled } = setUp();
    rooms.enter("a");
    rooms.open(false);
    await hall.say("too_many");
    expect(hall.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(hall.asked).toHaveLength(2);
    await hall.say("too_many");
    await vi.advanceTimersByTimeAsync(4000);
    await hall.say("ok");
    expect(hall.asked).toHaveLength(3);
    expect(rooms.state("a").get().kind).toBe("joined");
    expect(settled()).toBe(1);
  });

  it("are settled when each is joined or refused", async () => {
    const { hall, rooms, settled } = setUp();
    rooms.enter("a");
    rooms.enter("b");
    rooms.open(false);
    await hall.say("ok");
    expect(settled()).toBe(0);
    await hall.say("not_found");
    expect(settled()).toBe(1);
    expect(rooms.state("b").get()).toMatchObject({ kind: "refused", code: "not_found" });
    expect(rooms.joined()).toEqual(["a"]);
  });

  it("come back with a recovery: only what had no answer is asked for again", async () => {
    const { hall, rooms } = setUp();
    rooms.enter("a");
    rooms.open(false);
    await hall.say("ok");
    rooms.enter("b");
    rooms.close();
    await hall.say("lost");
    rooms.open(true);
    expect(hall.asked).toEqual(["a", "b", "b"]);
  });

  it("are all joined again by a new session", async () => {
    const { hall, rooms } = setUp();
    rooms.enter("a");
    rooms.open(false);
    await hall.say("ok");
    rooms.close();
    expect(rooms.state("a").get().kind).toBe("joined"); // it may be recovered yet
    rooms.open(false);
    expect(rooms.state("a").get().kind).toBe("joining");
    expect(hall.asked).toEqual(["a", "a"]);
  });

  it("are asked for again where the answer never came but the connection stands", async () => {
    const { hall, rooms } = setUp();
    rooms.enter("a");
    rooms.open(false);
    await hall.say("lost");
    await vi.advanceTimersByTimeAsync(2000);
    expect(hall.asked).toEqual(["a", "a"]);
  });

  it("take no notice of an answer of the connection before", async () => {
    const { hall, rooms } = setUp();
    rooms.enter("a");
    rooms.open(false);
    rooms.close();
    rooms.open(false);
    await hall.say("not_found");
    expect(rooms.state("a").get().kind).toBe("joining");
  });

  it("that were refused are tried again by whoever comes anew", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    const leave = rooms.enter("a");
    await hall.say("not_found");
    leave();
    rooms.enter("a");
    expect(hall.asked).toEqual(["a", "a"]);
  });

  it("that a feature kept us out of are tried again when that is on, and no others", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    for (const name of ["a", "b", "c"]) rooms.enter(name);
    await hall.say("feature_off", "feature_off", "not_found");
    rooms.retryFeatures((room) => room === "a" || room === "c");
    expect(hall.asked).toEqual(["a", "b", "c", "a"]);
    await hall.say("ok");
    expect(rooms.joined()).toEqual(["a"]);
  });

  it("that the server took us out of are not left a second time", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    const leave = rooms.enter("a");
    await hall.say("ok");
    rooms.doubted("a", "not_found", "Not found");
    expect(rooms.state("a").get()).toMatchObject({ kind: "refused", code: "not_found" });
    leave();
    await vi.advanceTimersByTimeAsync(5000);
    expect(hall.left).toEqual([]);
  });
});

describe("a room that the server is not sure of", () => {
  it("is asked for again, as long as that may pass", async () => {
    const { hall, rooms } = setUp();
    rooms.open(false);
    rooms.enter("a");
    await hall.say("ok");
    rooms.doubted("a", "unavailable", "Not now");
    rooms.doubted("nobody's", "unavailable", "Not now");
    await vi.advanceTimersByTimeAsync(2000);
    await hall.say("ok");
    expect(hall.asked).toEqual(["a", "a"]);
    expect(rooms.state("a").get().kind).toBe("joined");
  });
});

describe("a batcher", () => {
  it("hands over the first at once and the rest together, in order", async () => {
    const got: number[][] = [];
    const batcher = new Batcher<number>((all) => got.push(all));
    batcher.add(1);
    await vi.advanceTimersByTimeAsync(0);
    for (const n of [2, 3, 4]) batcher.add(n);
    await vi.advanceTimersByTimeAsync(99);
    expect(got).toEqual([[1]]);
    await vi.advanceTimersByTimeAsync(1);
    expect(got).toEqual([[1], [2, 3, 4]]);
    batcher.add(5);
    batcher.flush();
    expect(got.at(-1)).toEqual([5]);
  });
});
