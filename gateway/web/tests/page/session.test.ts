import { beforeEach, describe, expect, it, vi } from "vitest";
import { Api, NoAnswer, Refusal } from "../../src/api/client";
import { Session, type Leaving } from "../../src/session/Session";
import type { TokenSource } from "../../src/session/tokens";
import type { Person } from "../../src/model/wire";

let made = 0;

function token(sub: string, more: object = {}): string {
  const claims = { sub, org: "demo", name: sub.toUpperCase(), roles: [], exp: Math.floor(Date.now() / 1000) + 600, n: made++, ...more };
  return `x.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.y`;
}

function hosted(source: TokenSource): { session: Session; left: [string, Leaving][] } {
  const left: [string, Leaving][] = [];
  const session = new Session(source, true, async (person: Person, why) => { left.push([person.sub, why]); });
  return { session, left };
}

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

describe("a session", () => {
  it("is the person of the host's token, and stores no token", async () => {
    const text = token("ann");
    const { session } = hosted({ getToken: async () => text });
    await session.start();
    expect(session.state.get()).toMatchObject({ phase: "signed_in", person: { sub: "ann", org: "demo", name: "ANN" } });
    const kept = JSON.stringify({ ...localStorage, ...sessionStorage });
    expect(kept).toContain("ann");
    expect(kept).not.toContain(text);
    expect(kept).not.toContain(text.split(".")[1]);
  });

  it("remembers who was here, for the first paint, without a network", async () => {
    await hosted({ getToken: async () => token("ann") }).session.start();
    const { session } = hosted({ getToken: async () => { throw new TypeError("no network"); } });
    await session.start();
    expect(session.state.get()).toMatchObject({ phase: "signed_in", person: { sub: "ann" } });
  });

  it("takes away what it showed where the token is another's", async () => {
    await hosted({ getToken: async () => token("ann") }).session.start();
    const { session, left } = hosted({ getToken: async () => token("bob") });
    await session.start();
    expect(left).toEqual([["ann", "replaced"]]);
    expect(session.state.get()).toMatchObject({ person: { sub: "bob" } });
  });

  it("gives a fresh token for each attempt, and the same to requests while it is good", async () => {
    const { session } = hosted({ getToken: async () => token("ann") });
    await session.start();
    const first = await session.fresh();
    expect(await session.current()).toBe(first);
    expect(await session.fresh()).not.toBe(first);
  });

  it("ends by one's own wish and by a refusal, and wipes in both cases", async () => {
    const signOut = vi.fn();
    const one = hosted({ getToken: async () => token("ann"), signOut });
    await one.session.start();
    await one.session.signOut();
    expect(one.left).toEqual([["ann", "signed_out"]]);
    expect(signOut).toHaveBeenCalledOnce();
    expect(localStorage).toHaveLength(0);
    const two = hosted({ getToken: async () => token("bob") });
    await two.session.start();
    two.session.rejected("Your session has ended.");
    expect(two.left).toEqual([["bob", "rejected"]]);
    expect(two.session.state.get()).toEqual({ phase: "signed_out", why: "Your session has ended." });
  });
});

describe("a request", () => {
  const answer = (status: number, body: object, headers: Record<string, string> = {}): Response =>
    new Response(JSON.stringify(body), { status, headers });

  it("is repeated once with a fresh token where the first was refused", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", vi.fn(async (_: string, init: RequestInit) => {
      asked.push(new Headers(init.headers).get("Authorization") ?? "");
      return asked.length === 1 ? answer(401, {}) : answer(200, { ok: 1 });
    }));
    const api = new Api("", { current: async () => "old", fresh: async () => "new", rejected: () => { throw new Error("no"); } });
    expect((await api.ask<{ ok: number }>("GET", "/api/me")).body.ok).toBe(1);
    expect(asked).toEqual(["Bearer old", "Bearer new"]);
  });

  it("ends the session where a fresh token is refused, too", async () => {
    vi.stubGlobal("fetch", vi.fn(async () => answer(401, { title: "A valid token is required", code: "unauthorized" })));
    const rejected = vi.fn();
    const api = new Api("", { current: async () => "a", fresh: async () => "b", rejected });
    await expect(api.ask("GET", "/api/me")).rejects.toMatchObject({ status: 401, code: "unauthorized" });
    expect(rejected).toHaveBeenCalledOnce();
  });

  it("tells a refusal with its words from a network that is not there", async () => {
    const api = new Api("", { current: async () => "a", fresh: async () => "b", rejected: () => undefined });
    vi.stubGlobal("fetch", vi.fn(async () => answer(409, { title: "Conflict", detail: "The task has moved since", code: "conflict", task: { seq: 4 } })));
    const refusal = await api.ask("PATCH", "/x", { body: {} }).catch((e: unknown) => e);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ message: "The task has moved since", task: { seq: 4 } });
    vi.stubGlobal("fetch", vi.fn(async () => { throw new TypeError("no network"); }));
    await expect(api.ask("GET", "/x")).rejects.toBeInstanceOf(NoAnswer);
  });
});
