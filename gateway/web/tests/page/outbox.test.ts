import { afterEach, describe, expect, it, vi } from "vitest";
import { Api, type Tokens } from "../../src/api/client";
import { openDatabase, type Database } from "../../src/store/db";
import { Outbox } from "../../src/store/Outbox";
import type { Receipt } from "../../src/model/letters";

const tokens: Tokens = { current: async () => "token", fresh: async () => "token", rejected: () => undefined };
const CREATE = { kind: "create", title: "Door", body: { description: "Door", isPrivate: false } } as const;
const opened: Outbox[] = [];
let owners = 0;

type Answer = (key: string, body: string) => Response | Promise<Response>;

function json(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
}

/** Whatever is sent ends here, in the network's place. */
function network(answer: Answer): ReturnType<typeof vi.fn<typeof fetch>> {
  const send = vi.fn<typeof fetch>(async (_, init) =>
    answer(new Headers(init?.headers).get("Idempotency-Key") ?? "", String(init?.body)));
  vi.stubGlobal("fetch", send);
  return send;
}

async function setUp(owner = `demo/${owners++}`): Promise<{ db: Database; outbox: Outbox; receipts: Receipt[]; owner: string }> {
  const db = await openDatabase();
  const receipts: Receipt[] = [];
  const outbox = new Outbox(db, new Api("", tokens), owner, (r) => receipts.push(r));
  opened.push(outbox);
  return { db, outbox, receipts, owner };
}

afterEach(() => {
  opened.splice(0).forEach((outbox) => outbox.close());
  vi.unstubAllGlobals();
});

const settled = (outbox: Outbox, letters: number): Promise<void> =>
  vi.waitFor(() => { expect(outbox.state.get()).toMatchObject({ sending: null }); expect(outbox.state.get().letters).toHaveLength(letters); });

describe("the outbox", () => {
  it("sends a form under a key of its own, and keeps a receipt", async () => {
    const sent = network(() => json(202, { taskId: "t1", seq: 1, status: "received" }));
    const { outbox, receipts } = await setUp();
    const letter = await outbox.post(CREATE);
    await settled(outbox, 0);
    expect(receipts).toMatchObject([{ taskId: "t1", letter: { key: letter.key } }]);
    expect(new Headers(sent.mock.calls[0]?.[1]?.headers).get("Idempotency-Key")).toBe(letter.key);
    expect(sent.mock.calls[0]?.[0]).toBe("/api/tasks");
  });

  it("keeps a form without a network, and sends it under the same key from the next page", async () => {
    network(() => { throw new TypeError("no network"); });
    const first = await setUp();
    const letter = await first.outbox.post(CREATE);
    await vi.waitFor(() => expect(first.outbox.state.get().isWaiting).toBe(true));
    first.outbox.close();
    const keys: string[] = [];
    network((key) => { keys.push(key); return json(202, { taskId: "t1", seq: 1 }); });
    const second = await setUp(first.owner);
    await second.outbox.open();
    await settled(second.outbox, 0);
    expect(keys).toEqual([letter.key]);
  });

  it("tries again while the server is away, in the order of writing", async () => {
    let isAway = true;
    const bodies: string[] = [];
    network((_, body) => {
      if (isAway) return json(503, { code: "unavailable" });
      bodies.push((JSON.parse(body) as { description: string }).description);
      return json(202, { taskId: `t${bodies.length}`, seq: 1 });
    });
    const { outbox } = await setUp();
    await outbox.post({ ...CREATE, body: { description: "first", isPrivate: false } });
    await outbox.post({ ...CREATE, body: { description: "second", isPrivate: false } });
    await vi.waitFor(() => expect(outbox.state.get().isWaiting).toBe(true));
    isAway = false;
    outbox.retry();
    await settled(outbox, 0);
    expect(bodies).toEqual(["first", "second"]);
  });

  it("gives back what is refused, with the reason, and goes on with the rest", async () => {
    network((_, body) => (body.includes("bad")
      ? json(422, { code: "invalid", detail: "The repository is not one" })
      : json(202, { taskId: "t1", seq: 1 })));
    const { outbox, receipts } = await setUp();
    const bad = await outbox.post({ ...CREATE, body: { description: "bad", isPrivate: false } });
    await outbox.post(CREATE);
    await vi.waitFor(() => expect(receipts).toHaveLength(1));
    await settled(outbox, 1);
    expect(outbox.state.get().letters).toMatchObject([{ key: bad.key, refusal: "The repository is not one" }]);
    await outbox.discard(bad.key);
    expect(outbox.state.get().letters).toEqual([]);
  });

  it("keeps each person's forms apart, and keeps them when a token has ended", async () => {
    network(() => json(401, { code: "token_expired", title: "The token has expired" }));
    const { outbox, db, owner } = await setUp();
    await outbox.post(CREATE);
    await vi.waitFor(() => expect(outbox.state.get().isWaiting).toBe(true));
    expect(await db.of("letters", owner)).toHaveLength(1);
    expect(await db.of("letters", "demo/somebody")).toEqual([]);
  });

  it("sends once where two tabs hold the same form", async () => {
    const keys: string[] = [];
    const locks: { request: (name: string, work: () => Promise<void>) => Promise<void> } = (() => {
      let last = Promise.resolve();
      return { request: (_: string, work: () => Promise<void>) => (last = last.then(work)) };
    })();
    vi.stubGlobal("navigator", Object.assign(Object.create(navigator) as Navigator, { locks }));
    network(() => { throw new TypeError("no network"); });
    const one = await setUp();
    await one.outbox.post(CREATE);
    await vi.waitFor(() => expect(one.outbox.state.get().isWaiting).toBe(true));
    network((key) => { keys.push(key); return json(202, { taskId: "t1", seq: 1 }); });
    const two = await setUp(one.owner);
    await two.outbox.open();
    one.outbox.retry();
    two.outbox.retry();
    await settled(two.outbox, 0);
    await settled(one.outbox, 0);
    expect(keys).toHaveLength(1);
  });
});
