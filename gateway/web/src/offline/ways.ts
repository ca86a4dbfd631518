// ways.ts - which requests of the page the worker answers, and how. Pure; worker.ts does it.

export type Way =
  /** As if there were no worker: what programs say (/api, /socket.io), and all that is not the page's. */
  | "network"
  /** The page itself, under whatever address: from the network, and kept for when there is none. */
  | "page"
  /** Named by its contents: what is kept is as good as new. */
  | "kept"
  /** As the network has it, or as it had it last. */
  | "fresh";

/** What the page is made of beside its assets. The first is the page. */
export const OWN_FILES = ["/", "/host.js", "/icon.svg", "/taskwire.webmanifest"] as const;

/** The gateway's own list (gateway/pages.c): these are never the page. */
const FOR_PROGRAMS = /^\/(?:(?:api|assets|socket\.io|dev)\/|(?:api|socket\.io|sw\.js)$)/;

export interface Wish {
  method: string;
  mode: string;
  url: string;
}

export function wayOf({ method, mode, url }: Wish, origin: string, assets: ReadonlySet<string>): Way {
  const at = new URL(url);
  if (method !== "GET" || at.origin !== origin) return "network";
  if (assets.has(at.pathname)) return "kept";
  if (FOR_PROGRAMS.test(at.pathname)) return "network";
  if (mode === "navigate") return "page";
  return OWN_FILES.some((path) => path === at.pathname) && at.pathname !== "/" ? "fresh" : "network";
}

/** A proxy says that the server behind it is away: to a person that is no network. */
export function isAway(status: number): boolean {
  return status >= 502 && status <= 504;
}
