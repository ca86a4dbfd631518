// client.ts - REST as the page speaks it: a token with each request, problem details as errors
// that can be shown, and a difference between "refused" and "no network" that forms live by.
import { observeDate } from "../model/clock";
import type { ErrorCode, Task } from "../model/wire";

const TIMEOUT_MS = 15_000;

/** The server answered, and refused. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: ErrorCode | "unknown", message: string, readonly task: Task | null) {
    super(message);
    this.name = "Refusal";
  }
}

/** No answer came: no network, a server that is away, or too late. */
export class NoAnswer extends Error {
  constructor(message = "The server cannot be reached just now") {
    super(message);
    this.name = "NoAnswer";
  }
}

export interface Tokens {
  current: () => Promise<string | null>;
  fresh: () => Promise<string | null>;
  /** Nobody who is signed in may do this: the session has ended. */
  rejected: (message: string) => void;
}

export interface Ask {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Answer<T> {
  status: number;
  body: T;
  etag: string | null;
}

interface Problem {
  title?: string;
  detail?: string;
  code?: ErrorCode;
  task?: Task;
}

async function refusalFrom(response: Response): Promise<Refusal> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const message = problem.detail ?? problem.title ?? `The server answered ${response.status}`;
  return new Refusal(response.status, problem.code ?? "unknown", message, problem.task ?? null);
}

/** May the same request succeed later, as it is? */
export function isPassing(error: unknown): boolean {
  if (error instanceof NoAnswer) return true;
  return error instanceof Refusal && (error.status >= 500 || error.status === 408 || error.status === 429 || error.code === "key_busy");
}

export class Api {
  constructor(private readonly base: string, private readonly tokens: Tokens) {}

  async ask<T>(method: string, path: string, ask: Ask = {}): Promise<Answer<T>> {
    let response = await this.send(method, path, ask, await this.token(false));
    if (response.status === 401) response = await this.send(method, path, ask, await this.token(true));
    if (response.status === 401) {
      const refusal = await refusalFrom(response);
      this.tokens.rejected("Your session has ended. Sign in again.");
      throw refusal;
    }
    if (response.status === 304) return { status: 304, body: undefined as T, etag: response.headers.get("ETag") };
    if (!response.ok) throw await refusalFrom(response);
    const body = response.status === 204 ? undefined : await response.json().catch(() => { throw new NoAnswer(); });
    return { status: response.status, body: body as T, etag: response.headers.get("ETag") };
  }

  private async token(fresh: boolean): Promise<string> {
    let token: string | null;
    try {
      token = await (fresh ? this.tokens.fresh() : this.tokens.current());
    } catch {
      throw new NoAnswer();
    }
    if (token === null) throw new Refusal(401, "unauthorized", "Sign in first", null);
    return token;
  }

  private async send(method: string, path: string, ask: Ask, token: string): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token}`, Accept: "application/json", ...ask.headers };
    if (ask.body !== undefined) headers["Content-Type"] = "application/json";
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await fetch(this.base + path, {
        method, headers, cache: "no-store", credentials: "same-origin",
        body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
        signal: ask.signal ? AbortSignal.any([limit, ask.signal]) : limit,
      });
      observeDate(response.headers.get("Date"));
      return response;
    } catch (error) {
      if (ask.signal?.aborted) throw error;
      throw new NoAnswer();
    }
  }
}
