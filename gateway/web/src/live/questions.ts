// questions.ts - what is asked of the server until there is an answer: of each name one question
// at a time; again where a failure may pass (no network, 429, 503), later and later, as long as
// somebody wants it; not again where the server refuses for good, until somebody says so.
//
// The list's end asks for more whenever it is drawn. So asking must be free while the answer is
// on its way, must not hammer while there is none, and must never be lost in between.
import { isPassing } from "../api/client";
import { waitBefore } from "./backoff";
import { Store } from "./store";

export interface Loading {
  /** What is being asked for, by name. */
  asked: ReadonlySet<string>;
  /** Why there is no answer to one of them. */
  problem: string | null;
  /** It is asked again by itself. */
  isTryingAgain: boolean;
}

interface Failure {
  why: string;
  mayPass: boolean;
}

export class Questions {
  readonly state = new Store<Loading>({ asked: new Set(), problem: null, isTryingAgain: false });
  private readonly underway = new Map<string, Promise<void>>();
  private readonly failures = new Map<string, Failure>();
  private readonly pauses = new Set<() => void>();

  /** `isWanted`: does anybody still wait for the answer of that name? */
  constructor(private readonly isWanted: (name: string) => boolean) {}

  /** Resolves when there is an answer, or none is to be had. A question of this name that is under
   *  way is all that is asked; what was refused for good is not asked again. */
  ask(name: string, question: () => Promise<void>): Promise<void> {
    const known = this.underway.get(name);
    if (known) return known;
    if (this.failures.get(name)?.mayPass === false) return Promise.resolve();
    const asking = this.untilAnswered(name, question).finally(() => {
      this.underway.delete(name);
      this.tell();
    });
    this.underway.set(name, asking);
    this.tell();
    return asking;
  }

  /** Resolves when nothing of this name is under way. */
  async settled(name: string): Promise<void> {
    await this.underway.get(name);
  }

  /** There may be an answer now: who waits for the next attempt tries at once. */
  wake(): void {
    for (const end of [...this.pauses]) end();
  }

  /** What was refused may be asked again. */
  forgive(): void {
    for (const [name, { mayPass }] of this.failures) if (!mayPass) this.failures.delete(name);
    this.wake();
    this.tell();
  }

  private tell(): void {
    const failures = [...this.failures.values()];
    this.state.set({
      asked: new Set(this.underway.keys()), problem: failures[0]?.why ?? null,
      isTryingAgain: failures.length > 0 && failures.every((f) => f.mayPass),
    });
  }

  private async untilAnswered(name: string, question: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await question();
        this.failures.delete(name);
        return;
      } catch (error) {
        const mayPass = isPassing(error);
        this.failures.set(name, { why: error instanceof Error ? error.message : String(error), mayPass });
        if (!mayPass) return;
      }
      this.tell();
      await this.pause(waitBefore(attempt));
      if (!this.isWanted(name)) {
        this.failures.delete(name);
        return;
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((done) => {
      const end = (): void => {
        clearTimeout(timer);
        this.pauses.delete(end);
        done();
      };
      const timer = setTimeout(end, ms);
      this.pauses.add(end);
    });
  }
}
