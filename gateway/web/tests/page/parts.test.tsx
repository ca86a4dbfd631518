import { act, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Age } from "../../src/components/Age";
import { Filters } from "../../src/components/Filters";
import { Presence } from "../../src/components/Presence";
import { PullRequest } from "../../src/components/PullRequest";
import { StatusBadge } from "../../src/components/StatusBadge";
import { TaskCard } from "../../src/components/TaskCard";
import { Timeline } from "../../src/components/Timeline";
import { useShortcuts } from "../../src/hooks/useShortcuts";
import { NO_FILTERS } from "../../src/model/filters";
import { STATUSES, STATUS_TEXTS, type Row } from "../../src/model/wire";
import { event, id, minute, row, task } from "../model/rows";

describe("a badge", () => {
  it("says each status by word and icon, not by colour alone", () => {
    for (const status of STATUSES) {
      const { container, unmount } = render(<StatusBadge status={status} />);
      expect(screen.getByText(STATUS_TEXTS[status])).toBeInTheDocument();
      expect(container.querySelector("svg")).toHaveAttribute("aria-hidden", "true");
      unmount();
    }
  });

  it("says who is asked, and stays the same element through a change", () => {
    const { container, rerender } = render(<StatusBadge status="analyzing" isYours />);
    const before = container.querySelector(".badge");
    rerender(<StatusBadge status="needs_clarification" isYours />);
    expect(screen.getByText("Needs you")).toBeInTheDocument();
    expect(container.querySelector(".badge")).toBe(before);
    expect(before).toHaveAttribute("data-status", "needs_clarification");
  });
});

describe("a row", () => {
  const show = (some: Partial<Row>): void => {
    render(<MemoryRouter><TaskCard row={row(1, some)} isMine={false} isNew={false} isSelected={false} /></MemoryRouter>);
  };

  it("names its creator, and links to what is on GitHub in a new tab", () => {
    show({ issueNumber: 4, issueUrl: "https://github.com/a/b/issues/4", prNumber: 5, prUrl: "https://github.com/a/b/pull/5", prState: "draft" });
    expect(screen.getByText("created by @Ann")).toBeInTheDocument();
    const pull = screen.getByRole("link", { name: /Pull request draft #5/ });
    expect(pull).toHaveAttribute("target", "_blank");
    expect(pull).toHaveAttribute("rel", "noopener noreferrer");
    expect(screen.getByRole("link", { name: /Issue #4/ })).toHaveAttribute("href", "https://github.com/a/b/issues/4");
  });

  it("makes no link of an address that is none", () => {
    show({ prNumber: 5, prUrl: "javascript:alert(1)", prState: "open" });
    expect(screen.getAllByRole("link")).toHaveLength(1); // its own title
  });

  it("shows each state of a pull request in words", () => {
    for (const state of ["draft", "open", "merged", "closed"] as const) {
      const { unmount } = render(<PullRequest number={1} url={undefined} state={state} />);
      expect(screen.getByText(state)).toBeInTheDocument();
      unmount();
    }
  });
});

describe("an age", () => {
  beforeEach(() => { vi.useFakeTimers({ now: Date.UTC(2026, 10, 21, 0, 1, 3) }); });
  afterEach(() => { vi.useRealTimers(); });

  it("ages by itself, and has the exact time for who hovers", () => {
    render(<Age at={minute(1)} />);
    const time = screen.getByText("3 seconds ago");
    expect(time).toHaveAttribute("title", expect.stringContaining("2026"));
    act(() => { vi.advanceTimersByTime(1100); });
    expect(time).toHaveTextContent("4 seconds ago");
    for (let i = 0; i < 130; i++) act(() => { vi.advanceTimersByTime(1100); });
    expect(time).toHaveTextContent("2 minutes ago");
  });
});

describe("a timeline", () => {
  const events = [event(1, "created"), event(2, "analyzing"), event(3, "note", { text: "hello" })];

  /** jsdom lays nothing out: what it would measure is said here. */
  function place(box: HTMLElement, scrollTop: number): void {
    Object.defineProperties(box, { scrollHeight: { value: 1000, configurable: true }, clientHeight: { value: 200, configurable: true } });
    box.scrollTo = vi.fn() as unknown as typeof box.scrollTo;
    box.scrollTop = scrollTop;
    fireEvent.scroll(box);
  }

  const show = (more: Partial<Parameters<typeof Timeline>[0]> = {}) => (
    <Timeline task={task({ events })} away={null} older={async () => false} {...more} />
  );

  it("marks what came while the person was away", () => {
    const { container } = render(show({ away: { from: 1, to: 2 } }));
    expect([...container.querySelectorAll("[data-unseen]")].map((e) => e.getAttribute("data-seq"))).toEqual(["2"]);
    expect(screen.getByText(/1 event while you were away/)).toBeInTheDocument();
  });

  it("follows the newest while the reader is at the end", () => {
    const { rerender } = render(show());
    const box = screen.getByRole("log");
    place(box, 800);
    rerender(show({ task: task({ events: [...events, event(4, "coding")] }) }));
    expect(box.scrollTo).toHaveBeenCalledWith({ top: 1000 });
    expect(screen.queryByText(/new event/)).not.toBeInTheDocument();
  });

  it("leaves who has scrolled up alone, and tells of new events", async () => {
    const { rerender } = render(show());
    const box = screen.getByRole("log");
    place(box, 100);
    rerender(show({ task: task({ events: [...events, event(4, "coding"), event(5, "note")] }) }));
    expect(box.scrollTo).not.toHaveBeenCalled();
    await userEvent.click(screen.getByRole("button", { name: "2 new events" }));
    expect(box.scrollTo).toHaveBeenCalledWith({ top: 1000 });
    expect(screen.queryByText(/new events/)).not.toBeInTheDocument();
  });

  it("offers earlier events where it does not begin at the beginning", async () => {
    const older = vi.fn(async () => true);
    render(show({ task: task({ events: [event(7, "note")] }), older }));
    await userEvent.click(screen.getByRole("button", { name: "Earlier events (6)" }));
    expect(older).toHaveBeenCalledOnce();
  });
});

describe("presence", () => {
  const viewers = [{ userId: "ann", name: "Ann" }, { userId: "bob", name: "Bob B" }];

  it("names the others, and not oneself", () => {
    render(<Presence presence={{ taskId: id(1), count: 2, viewers }} me="ann" />);
    expect(screen.getByText("Bob B is here, too")).toBeInTheDocument();
  });

  it("counts those that it does not name", () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ userId: `u${i}`, name: `U${i}` }));
    render(<Presence presence={{ taskId: id(1), count: 30, viewers: many }} me="ann" />);
    expect(screen.getByText("U0, U1, U2, U3, U4 and 25 more are here, too")).toBeInTheDocument();
  });

  it("says nothing to who is alone", () => {
    const { container } = render(<Presence presence={{ taskId: id(1), count: 1, viewers: [{ userId: "ann", name: "Ann" }] }} me="ann" />);
    expect(container).toBeEmptyDOMElement();
  });
});

describe("filters", () => {
  it("offer the creators that are known, and say what was chosen", async () => {
    const onChange = vi.fn();
    const rows = new Map([row(1), row(2, { createdBy: "bob", creator: "Bob" })].map((r) => [r.taskId, r]));
    render(<Filters filters={NO_FILTERS} rows={rows} onChange={onChange} />);
    await userEvent.selectOptions(screen.getByRole("combobox", { name: "Creator" }), "@Bob");
    await userEvent.selectOptions(screen.getByRole("combobox", { name: "Status" }), "PR open");
    await userEvent.click(screen.getByRole("button", { name: "My tasks" }));
    expect(onChange.mock.calls.map(([some]) => some as object)).toEqual([{ creator: "bob" }, { status: "pr_open", section: null }, { mine: true }]);
  });
});

describe("shortcuts", () => {
  function Page({ keys }: { keys: Record<string, () => void> }) {
    useShortcuts(keys);
    return <input aria-label="field" />;
  }

  it("act on one key or two, and never while somebody types", async () => {
    const n = vi.fn(), gd = vi.fn();
    render(<Page keys={{ n, "g d": gd }} />);
    await userEvent.keyboard("n");
    await userEvent.keyboard("gd");
    await userEvent.keyboard("{Control>}n{/Control}");
    await userEvent.type(screen.getByLabelText("field"), "ngd");
    expect([n.mock.calls.length, gd.mock.calls.length]).toEqual([1, 1]);
  });
});
