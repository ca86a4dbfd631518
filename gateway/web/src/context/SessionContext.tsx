// SessionContext.tsx - who is signed in, for whoever asks.
import { createContext, useContext } from "react";
import { useStore } from "../hooks/useStore";
import type { Session, SessionState } from "../session/Session";

const SessionContext = createContext<Session | null>(null);

export const SessionProvider = SessionContext.Provider;

export function useSession(): { session: Session; state: SessionState } {
  const session = useContext(SessionContext);
  if (!session) throw new Error("useSession needs a TaskwireProvider above it");
  return { session, state: useStore(session.state) };
}
