// Outbox.ts - carries forms to the server, once each, however long that takes.
//
// A form is first written down (IndexedDB) and then sent under an Idempotency-Key of its own: a
// page that is closed, reloaded or offline in between loses nothing, and an answer that never
// came makes no second task. Tabs share what is written down; a lock lets one of them at
// a time carry it, and a channel tells the others.
import { isPassing, NoAnswer, Refusal, type Api } from "../api/client";
import { waitBefore } from "../live/backoff";
import { Store } from "../live/store";
import { inOrder, pathOf, toSend, type Content, type Letter, type Receipt } from "../model/letters";
import type { Database } from "./db";

export interface OutboxState {
  letters: readonly Letter[];
  /** Which letter is on its way now. */
  sending: string | null;
  /** The newest receipts of this page, newest last. */
  receipts: readonly Receipt[];
  /** The last attempt met no server. */
  isWaiting: boolean;
}

const RECEIPTS_MAX = 20;

export class Outbox {
  readonly state = new Store<OutboxState>({ letters: [], sending: null, receipts: [], isWaiting: false });
  private readonly channel: BroadcastChannel | null;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private attempt = 0;
  private lastWrittenAt = 0;
  private carrying: Promise<void> | null = null;
  private isClosed = false;

  constructor(private readonly db: Database, private readonly api: Api, private readonly owner: string,
              private readonly onSent: (receipt: Receipt) => void) {
    this.channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(`taskwire-letters:${owner}`);
    this.channel?.addEventListener("message", () => { void this.read(); });
  }

  async open(): Promise<void> {
    await this.read();
    void this.carry();
  }

  close(): void {
    this.isClosed = true;
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.channel?.close();
  }

  /** Write a form down and try to send it. Resolves once it is written down. */
  async post(content: Content): Promise<Letter> {
    this.lastWrittenAt = Math.max(Date.now(), this.lastWrittenAt + 1);   // two in one millisecond keep their order
    const letter: Letter = {
      key: crypto.randomUUID(), owner: this.owner, content, writtenAt: this.lastWrittenAt, attempts: 0, refusal: null,
    };
    await this.db.put("letters", letter);
    await this.changed();
    void this.carry();
    return letter;
  }

  /** The person gives a form up. */
  async discard(key: string): Promise<void> {
    await this.db.remove("letters", key);
    await this.changed();
  }

  /** There may be a network again. */
  retry(): void {
    this.attempt = 0;
    void this.carry();
  }

  private set(some: Partial<OutboxState>): void {
    this.state.set({ ...this.state.get(), ...some });
  }

  private async read(): Promise<void> {
    const letters = inOrder(await this.db.of("letters", this.owner));
    if (!this.isClosed) this.set({ letters });
  }

  private async changed(): Promise<void> {
    await this.read();
    if (!this.isClosed) this.channel?.postMessage("changed");
  }

  private carry(): Promise<void> {
    this.carrying ??= this.carryAll().finally(() => { this.carrying = null; });
    return this.carrying;
  }

  private async carryAll(): Promise<void> {
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.retryTimer = null;
    const work = (): Promise<void> => this.sendEach();
    if (navigator.locks) await navigator.locks.request(`taskwire-letters:${this.owner}`, work);
    else await work();
  }

  private async sendEach(): Promise<void> {
    for (;;) {
      const letter = toSend(await this.db.of("letters", this.owner))[0];
      if (!letter || this.isClosed) break;
      try {
        await this.send(letter);
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.set({ sending: null, isWaiting: true });
        this.retryLater();
        return;
      }
    }
    this.attempt = 0;
    this.set({ sending: null, isWaiting: false });
  }

  private async send(letter: Letter): Promise<void> {
    this.set({ sending: letter.key });
    try {
      const { body } = await this.api.ask<{ taskId: string; seq: number }>("POST", pathOf(letter.content), {
        body: letter.content.body, headers: { "Idempotency-Key": letter.key },
      });
      const receipt = { letter, taskId: body.taskId, seq: body.seq, sentAt: Date.now() };
      await this.db.remove("letters", letter.key);
      if (this.isClosed) return;
      this.set({ receipts: [...this.state.get().receipts, receipt].slice(-RECEIPTS_MAX) });
      this.onSent(receipt);
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) throw new NoAnswer(); // it waits for who wrote it
      if (isPassing(error)) {
        await this.db.put("letters", { ...letter, attempts: letter.attempts + 1 });
        throw error;
      }
      const why = error instanceof Error ? error.message : String(error);
      await this.db.put("letters", { ...letter, refusal: why });
    }
    await this.changed();
  }

  private retryLater(): void {
    if (this.isClosed) return;
    this.retryTimer = setTimeout(() => { void this.carry(); }, waitBefore(this.attempt++));
  }
}
