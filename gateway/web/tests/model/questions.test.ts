import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NoAnswer, Refusal } from "../../src/api/client";
import { Questions } from "../../src/live/questions";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const busy = (): Refusal => new Refusal(503, "unavailable", "Not now", null);

/** A question that fails as the test says, then is answered. */
function question(...failures: Error[]) {
  return vi.fn(async () => {
    const failure = failures.shift();
    if (failure) throw failure;
  });
}

describe("a question", () => {
  it("is asked once, however many ask, and again when it is answered", async () => {
    const questions = new Questions(() => true), one = question();
    await Promise.all([questions.ask("a", one), questions.ask("a", one), questions.ask("b", one)]);
    expect(one).toHaveBeenCalledTimes(2);
    await questions.ask("a", one);
    expect(one).toHaveBeenCalledTimes(3);
  });

  it("is asked again while it may yet be answered, later and later, and says so", async () => {
    const questions = new Questions(() => true), one = question(busy(), new NoAnswer(), new Refusal(429, "too_many", "Too many requests", null));
    const answered = questions.ask("a", one);
    await vi.advanceTimersByTimeAsync(0);
    expect(questions.state.get()).toMatchObject({ problem: "Not now", isTryingAgain: true });
    expect([...questions.state.get().asked]).toEqual(["a"]);
    void questions.ask("a", one);
    expect(one).toHaveBeenCalledTimes(1);            // the list's end asks whenever it is drawn
    await vi.advanceTimersByTimeAsync(600);
    expect(one).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1200 + 2400);
    await answered;
    expect(one).toHaveBeenCalledTimes(4);
    expect(questions.state.get()).toEqual({ asked: new Set(), problem: null, isTryingAgain: false });
  });

  it("does not wait when there may be an answer now", async () => {
    const questions = new Questions(() => true), one = question(busy());
    const answered = questions.ask("a", one);
    await vi.advanceTimersByTimeAsync(0);
    questions.wake();
    await answered;
    expect(one).toHaveBeenCalledTimes(2);
  });

  it("is given up when nobody wants the answer any more", async () => {
    let isWanted = true;
    const questions = new Questions(() => isWanted), one = question(busy(), busy());
    const over = questions.ask("a", one);
    await vi.advanceTimersByTimeAsync(0);
    isWanted = false;
    await vi.advanceTimersByTimeAsync(5000);
    await over;
    expect(one).toHaveBeenCalledTimes(1);
    expect(questions.state.get().problem).toBeNull();
  });

  it("that is refused for good is not asked again before somebody says so", async () => {
    const questions = new Questions(() => true), one = question(new Refusal(422, "invalid", "No such creator", null));
    await questions.ask("a", one);
    await questions.ask("a", one);
    expect(one).toHaveBeenCalledTimes(1);
    expect(questions.state.get()).toMatchObject({ problem: "No such creator", isTryingAgain: false });
    questions.forgive();
    await questions.ask("a", one);
    expect(one).toHaveBeenCalledTimes(2);
    expect(questions.state.get().problem).toBeNull();
  });
});
