// Announcer.tsx - the page's polite voice (hooks/useAnnounce.ts).
import { useCallback, useRef, useState, type ReactNode } from "react";
import { AnnounceContext } from "../hooks/useAnnounce";

const GATHER_MS = 1000;

export function Announcer({ children }: { children: ReactNode }): ReactNode {
  const [text, setText] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const latest = useRef("");
  const announce = useCallback((words: string) => {
    latest.current = words;
    timer.current ??= setTimeout(() => {
      timer.current = null;
      setText(latest.current);
    }, GATHER_MS);
  }, []);
  return (
    <AnnounceContext.Provider value={announce}>
      {children}
      <div className="unseen" role="status" aria-live="polite" data-announcer>{text}</div>
    </AnnounceContext.Provider>
  );
}
