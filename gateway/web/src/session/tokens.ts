// tokens.ts - where tokens come from, and what can be read in one.
//
// In production the application around Taskwire knows who the person is: it sets
// `window.taskwireHost` (public/host.js) or passes a source to <TaskwireProvider>. For
// development the gateway itself signs demo people in (DEV_LOGIN). Tokens are kept in memory
// alone: never in storage, never in a URL, never logged.
import type { Person } from "../model/wire";

export interface TokenSource {
  /** A valid token, new for each call where that is possible; null: nobody is signed in. */
  getToken: () => Promise<string | null>;
  /** The person asked to be signed out. */
  signOut?: () => void;
}

declare global {
  interface Window {
    taskwireHost?: TokenSource;
  }
}

export interface Claims extends Person {
  /** Milliseconds. */
  expiresAt: number;
}

function textIn(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** What a token says, unverified: the page shows it, the services check it. Null: not a token. */
export function readClaims(token: string): Claims | null {
  try {
    const part = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null) return null;
    const fields = claims as Record<string, unknown>;
    const sub = textIn(fields["sub"]);
    if (sub === null || typeof fields["exp"] !== "number") return null;
    const roles = Array.isArray(fields["roles"]) ? fields["roles"].filter((r) => typeof r === "string") : [];
    return {
      sub, roles, org: textIn(fields["org"]) ?? `~${sub}`, name: textIn(fields["name"]) ?? sub,
      expiresAt: fields["exp"] * 1000,
    };
  } catch {
    return null;
  }
}

/** The demo's people; null where the gateway does not sign anybody in. */
export async function demoPeople(): Promise<Person[] | null> {
  const answer = await fetch("/dev/login", { headers: { Accept: "application/json" } });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
  const body = (await answer.json()) as { people: Person[] };
  return body.people;
}

/** Tokens of a demo person. */
export function demoTokens(person: Person): TokenSource {
  return {
    getToken: async () => {
      const answer = await fetch("/dev/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(person),
      });
      if (answer.status === 404 || answer.status === 405) return null; // switched off by now
      if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
      return ((await answer.json()) as { token: string }).token;
    },
  };
}
