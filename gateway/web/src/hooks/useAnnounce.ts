// useAnnounce.ts - tells screen readers what changed: politely, and the newest only where much
// happens at once.
import { createContext, useContext } from "react";

export type Announce = (text: string) => void;

export const AnnounceContext = createContext<Announce>(() => undefined);

export function useAnnounce(): Announce {
  return useContext(AnnounceContext);
}
