// Session.ts - who is here: signs in and out, holds the token, and says when it is refused.
//
// The person (not the token) is remembered, so that a page that is opened again can show at
// once what is kept for them; the first token must then name the same person, or what is shown
// is taken away. Each tab remembers its own person, and a new tab the last one.
import { Store } from "../live/store";
import type { Person } from "../model/wire";
import { demoTokens, readClaims, type TokenSource } from "./tokens";

export type SessionState =
  | { phase: "starting" }
  | { phase: "signed_out"; why: string | null }
  | { phase: "signed_in"; person: Person };

/** Why somebody who was here is not any more: their own wish, a refused token, another person's token. */
export type Leaving = "signed_out" | "rejected" | "replaced";

const REMEMBERED = "taskwire.person";
const MARGIN_MS = 30_000;

function nameOf(person: Person): string {
  return `${person.org}/${person.sub}`;
}

function isPerson(value: unknown): value is Person {
  if (typeof value !== "object" || value === null) return false;
  const { sub, org, name, roles } = value as Partial<Person>;
  return typeof sub === "string" && typeof org === "string" && typeof name === "string" && Array.isArray(roles);
}

function remembered(): Person | null {
  for (const storage of [sessionStorage, localStorage]) {
    try {
      const person: unknown = JSON.parse(storage.getItem(REMEMBERED) ?? "null");
      if (isPerson(person)) return person;
    } catch {
      storage.removeItem(REMEMBERED);
    }
  }
  return null;
}

function remember(person: Person): void {
  const text = JSON.stringify({ sub: person.sub, org: person.org, name: person.name, roles: person.roles });
  sessionStorage.setItem(REMEMBERED, text);
  localStorage.setItem(REMEMBERED, text);
}

function forget(): void {
  sessionStorage.removeItem(REMEMBERED);
  localStorage.removeItem(REMEMBERED);
}

export class Session {
  readonly state = new Store<SessionState>({ phase: "starting" });
  private readonly channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("taskwire-session");
  private token: { text: string; expiresAt: number } | null = null;
  private asking: Promise<string | null> | null = null;

  /** `host`: where tokens come from; none: the demo's sign-in. `onLeave`: wipe what is kept for them. */
  constructor(private source: TokenSource | null, private readonly isHosted: boolean,
              private readonly onLeave: (person: Person, why: Leaving) => Promise<void>) {
    // Who signs out in one tab has signed out in all of theirs.
    this.channel?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      const known = this.state.get();
      if (known.phase === "signed_in" && data === nameOf(known.person)) void this.ended("signed_out", null);
    });
  }

  async start(): Promise<void> {
    const person = remembered();
    if (person && !this.isHosted) this.source = demoTokens(person);
    if (person) this.state.set({ phase: "signed_in", person });
    if (!this.source) {
      this.state.set({ phase: "signed_out", why: null });
      return;
    }
    try {
      if ((await this.fresh()) === null) await this.ended("rejected", null);
    } catch {
      // No network: whoever is remembered sees what is kept; the connection tries again.
      if (!person) this.state.set({ phase: "signed_out", why: "Signing in did not work: there is no connection. Try again." });
    }
  }

  /** The demo's sign-in. */
  async signInAs(person: Person): Promise<void> {
    this.source = demoTokens(person);
    if ((await this.fresh()) === null) throw new Error("Sign-in for demo people is switched off here (DEV_LOGIN).");
  }

  async signOut(): Promise<void> {
    const { source } = this, known = this.state.get();
    if (known.phase === "signed_in") this.channel?.postMessage(nameOf(known.person));
    await this.ended("signed_out", null);
    if (this.isHosted) source?.signOut?.();
  }

  /** The services refuse this person's tokens. */
  rejected(message: string): void {
    void this.ended("rejected", message);
  }

  /** A token that is good for a while yet, or null. */
  async current(): Promise<string | null> {
    if (this.token && this.token.expiresAt - Date.now() > MARGIN_MS) return this.token.text;
    return this.fresh();
  }

  /** A token that was not used before; one question at a time, however many ask. */
  fresh(): Promise<string | null> {
    this.asking ??= this.ask().finally(() => { this.asking = null; });
    return this.asking;
  }

  private async ask(): Promise<string | null> {
    const { source } = this;
    const text = (await source?.getToken()) ?? null;
    if (source !== this.source) return null; // signed out meanwhile
    const claims = text === null ? null : readClaims(text);
    if (text === null || claims === null) return null;
    this.token = { text, expiresAt: claims.expiresAt };
    const { expiresAt: _, ...person } = claims;
    this.arrived(person);
    return text;
  }

  private arrived(person: Person): void {
    const known = this.state.get();
    if (known.phase === "signed_in") {
      const same = known.person.sub === person.sub && known.person.org === person.org;
      if (!same) void this.onLeave(known.person, "replaced");
      else if (known.person.name === person.name && known.person.roles.join() === person.roles.join()) return;
    }
    remember(person);
    this.state.set({ phase: "signed_in", person });
  }

  private async ended(how: Leaving, why: string | null): Promise<void> {
    const known = this.state.get();
    this.token = null;
    if (!this.isHosted) this.source = null;
    forget();
    this.state.set({ phase: "signed_out", why });
    if (known.phase === "signed_in") await this.onLeave(known.person, how);
  }
}
