import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Api, type Tokens } from "../../src/api/client";
import { DASHBOARD, LiveClient } from "../../src/live/LiveClient";
import { NoticeFeed } from "../../src/live/NoticeFeed";
import type { Notice, ServerToClientEvents } from "../../src/model/wire";
import { keys } from "../../src/store/keys";
import { id, minute, snapshot, task } from "../model/rows";

const tokens: Tokens = { current: async () => "token", fresh: async () => "token", rejected: () => undefined };

function setUp() {
  const live = new LiveClient({ url: "http://x", freshToken: async () => null, onRejected: () => undefined, onFeatureOff: () => undefined });
  /** As if the server had said it: the socket itself is not connected. */
  function said<K extends keyof ServerToClientEvents>(name: K, ...args: Parameters<ServerToClientEvents[K]>): void {
    for (const listener of live.socket.listeners(name)) (listener as (...all: unknown[]) => void)(...args);
  }
  return { live, said };
}

function notice(n: number): Notice {
  return { id: `n${n}`, kind: "merged", taskId: id(n), title: `Task ${n}`, message: "Merged", createdAt: minute(n) };
}

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("notifications", () => {
  it("are asked for again when a room's snapshot comes unasked: something may have been missed", async () => {
    const { live, said } = setUp();
    const client = new QueryClient(), feed = new NoticeFeed(live, new Api("", tokens), client);
    let unread = [notice(1)];
    const asked = vi.fn(async () => new Response(JSON.stringify({ notifications: unread })));
    vi.stubGlobal("fetch", asked);
    const end = feed.attach();
    await feed.fetch();
    expect(feed.announced.get()).toEqual([]);           // the first answer is no news

    live.rooms.state(DASHBOARD).set({ kind: "joining" });
    said("dashboard:state", snapshot([]));               // the join's own: nothing was missed
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveBeenCalledTimes(1);

    live.rooms.state(DASHBOARD).set({ kind: "joined" });
    live.rooms.state(id(1)).set({ kind: "joined" });
    unread = [notice(2), notice(1)];
    said("dashboard:state", snapshot([]));
    said("task:state", task());
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toHaveBeenCalledTimes(2);              // once for all of its rooms
    expect(client.getQueryData<Notice[]>(keys.notices)?.map((n) => n.id)).toEqual(["n2", "n1"]);
    expect(feed.announced.get().map((n) => n.id)).toEqual(["n2"]);
    end();
  });
});

describe("an error that the server tells", () => {
  it("takes the dashboard out of what comes live where that is switched off, and only it", () => {
    const { live, said } = setUp();
    live.rooms.state(DASHBOARD).set({ kind: "joined" });
    live.rooms.state(id(1)).set({ kind: "joined" });
    said("error", { code: "feature_off", message: "This feature is switched off" });
    expect(live.rooms.state(DASHBOARD).get()).toMatchObject({ kind: "refused", code: "feature_off" });
    expect(live.rooms.state(id(1)).get().kind).toBe("joined");
    said("error", { taskId: id(1), code: "feature_off", message: "This feature is switched off" });
    expect(live.rooms.state(id(1)).get()).toMatchObject({ kind: "refused", code: "feature_off" });
  });
});
