// useShortcuts.ts - keys of the whole page: single ones and two in a row ("g d"), never while
// somebody types, never with a modifier.
import { useEffect, useRef } from "react";

export type Shortcuts = Readonly<Record<string, () => void>>;

const SECOND_KEY_MS = 1500;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.closest("input, textarea, select, [role=menu], [role=dialog]") !== null);
}

export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => { latest.current = shortcuts; });
  useEffect(() => {
    let first = "", firstAt = 0;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const pair = Date.now() - firstAt < SECOND_KEY_MS ? `${first} ${event.key}` : "";
      const act = latest.current[pair] ?? latest.current[event.key];
      first = event.key;
      firstAt = Date.now();
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
