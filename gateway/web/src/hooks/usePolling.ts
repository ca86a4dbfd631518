// usePolling.ts - asks now and then, while it must: at once, then every so often, not while
// nobody looks, and a little unevenly so that many pages do not ask in the same moment.
import { useEffect, useRef } from "react";

export function usePolling(isOn: boolean, everyMs: number, ask: () => Promise<unknown>): void {
  const latest = useRef(ask);
  useEffect(() => { latest.current = ask; });
  useEffect(() => {
    if (!isOn) return undefined;
    let timer: ReturnType<typeof setTimeout> | null = null;
    let isEnded = false;
    const round = async (): Promise<void> => {
      if (!document.hidden) await latest.current().catch(() => undefined);
      if (!isEnded) timer = setTimeout(() => { void round(); }, everyMs * (0.9 + Math.random() * 0.2));
    };
    const onVisible = (): void => {
      if (document.hidden || timer === null) return;
      clearTimeout(timer);
      timer = null;
      void round();
    };
    void round();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      isEnded = true;
      if (timer !== null) clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [isOn, everyMs]);
}
