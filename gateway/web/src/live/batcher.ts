// batcher.ts - many small changes become one: what comes within a moment is handed over
// together, so that 200 updates a second cost ten redraws and not 200. The first after a
// silence does not wait.

const MOMENT_MS = 100;

export class Batcher<T> {
  private waiting: T[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;
  private lastAt = -Infinity;

  constructor(private readonly handOver: (all: T[]) => void, private readonly now: () => number = Date.now) {}

  add(one: T): void {
    this.waiting.push(one);
    if (this.timer !== null) return;
    const wait = Math.max(0, this.lastAt + MOMENT_MS - this.now());
    this.timer = setTimeout(() => this.flush(), wait);
  }

  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.waiting.length === 0) return;
    const all = this.waiting;
    this.waiting = [];
    this.lastAt = this.now();
    this.handOver(all);
  }

  /** What waits is of the past. */
  drop(): void {
    this.waiting = [];
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
