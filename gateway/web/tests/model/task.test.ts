import { describe, expect, it } from "vitest";
import { newerTask, takeTaskEvent, withEarlier, withOlderEvents } from "../../src/model/task";
import { actorName, factsOf, isReanalyzing } from "../../src/model/timeline";
import { MOVES, type Task } from "../../src/model/wire";
import { event, id, minute, task } from "./rows";

const added = (t: Task, seq: number, ...rest: Parameters<typeof event> extends [number, ...infer R] ? R : never): Task =>
  takeTaskEvent(t, "task:event_added", { taskId: t.taskId, seq, event: event(seq, ...rest) });

describe("a task", () => {
  it("takes the event of a move and its timeline event, which say when", () => {
    let t = takeTaskEvent(task(), "task:analyzing", { taskId: id(1), seq: 2, status: "analyzing" });
    t = added(t, 2, "analyzing");
    expect(t).toMatchObject({ seq: 2, status: "analyzing", statusSince: minute(2), updatedAt: minute(2) });
    expect(t.events.map((e) => e.seq)).toEqual([1, 2]);
  });

  it("takes nothing twice, nothing older, and nothing of another task", () => {
    const t = added(task({ seq: 4, status: "coding" }), 5, "note");
    expect(added(t, 5, "note")).toBe(t);
    expect(takeTaskEvent(t, "task:analyzing", { taskId: id(1), seq: 3, status: "analyzing" })).toBe(t);
    expect(takeTaskEvent(t, "task:analyzing", { taskId: id(2), seq: 9, status: "analyzing" })).toBe(t);
  });

  it("keeps since when it has its status through events that do not move it", () => {
    const t = added(task({ status: "coding", statusSince: minute(1) }), 2, "note", { text: "x" });
    expect(t.statusSince).toBe(minute(1));
    expect(MOVES.some((m) => m.input === "note" && m.to !== null)).toBe(false);
  });

  it("learns its kind from the analyser, its links from the dispatcher, and its end from GitHub", () => {
    let t = added(task({ status: "analyzing" }), 2, "llm_response", { taskType: "bug_fix" });
    expect(t.taskType).toBe("bug_fix");
    t = takeTaskEvent(t, "task:dispatched", { taskId: id(1), seq: 3, status: "dispatched", issueNumber: 4, issueUrl: "https://x/4", githubBranch: "b" });
    t = takeTaskEvent(t, "task:pr_merged", { taskId: id(1), seq: 4, status: "merged", mergeCommitSha: "abc", mergedAt: minute(4) });
    expect(t).toMatchObject({ status: "merged", issueNumber: 4, githubBranch: "b", prState: "merged", mergeCommitSha: "abc" });
    expect(takeTaskEvent(t, "task:pr_closed", { taskId: id(1), seq: 5, status: "failed", prNumber: 9 }).prState).toBe("closed");
  });

  it("forgets the answers of the round before when there are new questions", () => {
    const t = takeTaskEvent(task({ clarificationAnswers: ["old"], seq: 3 }), "task:clarification_needed",
      { taskId: id(1), seq: 4, status: "needs_clarification", questions: ["New?"] });
    expect(t.clarificationAnswers).toBeUndefined();
    expect(t.questions).toEqual(["New?"]);
  });

  it("does not go back where REST answers late", () => {
    const now = task({ seq: 5 });
    expect(newerTask(now, task({ seq: 4 }))).toBe(now);
    expect(newerTask(now, task({ seq: 6 })).seq).toBe(6);
  });

  it("keeps earlier events that were read where a snapshot's follow on", () => {
    const known = task({ events: [event(1, "created"), event(2, "analyzing"), event(3, "note")] });
    const fits = withEarlier(task({ seq: 4, events: [event(3, "note"), event(4, "coding")] }), known);
    expect(fits.events.map((e) => e.seq)).toEqual([1, 2, 3, 4]);
    const gap = withEarlier(task({ seq: 9, events: [event(8, "note"), event(9, "coding")] }), known);
    expect(gap.events.map((e) => e.seq)).toEqual([8, 9]);
    expect(withOlderEvents(gap, [event(6, "note"), event(7, "note"), event(8, "note")]).events.map((e) => e.seq)).toEqual([6, 7, 8, 9]);
  });
});

describe("a timeline", () => {
  it("knows an analysis from the one after an answer", () => {
    const first = task({ status: "analyzing", events: [event(1, "created"), event(2, "analyzing"), event(3, "llm_response")] });
    expect(isReanalyzing(first)).toBe(false);
    const again = { ...first, events: [...first.events, event(4, "clarification_needed"), event(5, "clarification_submitted"), event(6, "llm_response")] };
    expect(isReanalyzing(again)).toBe(true);
    expect(isReanalyzing({ ...again, status: "dispatched" })).toBe(false);
  });

  it("shows what a payload holds, as links only where it is safe", () => {
    const pull = { prNumber: 7, prUrl: "https://github.com/a/b/pull/7" };
    const facts = factsOf(event(1, "dispatched", { issueNumber: 4, issueUrl: "javascript:alert(1)", githubBranch: "task/4" }), pull);
    expect(facts.map((f) => [f.text, f.href])).toEqual([["Issue #4", null], ["task/4", null]]);
    expect(factsOf(event(2, "pr_updated", { prNumber: 7, prState: "open" }), pull)[0]).toMatchObject({ text: "PR #7", href: pull.prUrl });
    expect(factsOf(event(3, "clarification_needed", { questions: ["Why?"] }), pull)[0]?.items).toEqual(["Why?"]);
    expect(factsOf(event(4, "note", { text: "hello", later: 5 }), pull).map((f) => f.text)).toEqual(["hello", "later: 5"]);
  });

  it("names people by their name and services by their path", () => {
    const t = task();
    expect(actorName({ ...event(1, "created"), actor: "ann" }, t)).toBe("@Ann");
    expect(actorName({ ...event(1, "edited"), actor: "bob" }, t)).toBe("@bob");
    expect(actorName(event(1, "note"), t)).toBe("test");
  });
});
