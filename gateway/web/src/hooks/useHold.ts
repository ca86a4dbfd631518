// useHold.ts - may the list move just now? Not while the pointer is over it or the keyboard in
// it, not while a person types, not while they have scrolled down. A pointer that was left
// lying there does not hold for ever.
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

const RESTING_MS = 20_000;
const TYPING_MS = 3000;
const LOOK_MS = 500;

function isTextField(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type === "text");
}

interface Hands {
  isOver: boolean;
  movedAt: number;
  typedAt: number;
}

/** `area`: what must not move. */
export function useHold(area: RefObject<HTMLElement | null>): boolean {
  const hands = useRef<Hands>({ isOver: false, movedAt: 0, typedAt: 0 });
  const [isHeld, setHeld] = useState(false);

  const look = useCallback(() => {
    const now = Date.now(), { isOver, movedAt, typedAt } = hands.current;
    const box = area.current?.getBoundingClientRect();
    // A link that was clicked has the focus, but no keyboard is at work there: no ring is shown.
    const isIn = isOver || area.current?.querySelector(":focus-visible") != null;
    const isScrolled = box !== undefined && box.top < 0;
    setHeld(!document.hidden && ((isIn && now - movedAt < RESTING_MS) || now - typedAt < TYPING_MS || isScrolled));
  }, [area]);

  useEffect(() => {
    const element = area.current;
    const onMove = (event: PointerEvent): void => {
      if (event.pointerType !== "mouse") return;
      hands.current.isOver = true;
      hands.current.movedAt = Date.now();
      look();
    };
    const onLeave = (): void => {
      hands.current.isOver = false;
      look();
    };
    const onKey = (event: KeyboardEvent): void => {
      if (element?.contains(event.target as Node)) hands.current.movedAt = Date.now();
      else if (isTextField(event.target)) hands.current.typedAt = event.key === "Enter" ? 0 : Date.now();
      look();
    };
    element?.addEventListener("pointermove", onMove, { passive: true });
    element?.addEventListener("pointerleave", onLeave);
    document.addEventListener("keydown", onKey);
    document.addEventListener("visibilitychange", look);
    window.addEventListener("scroll", look, { passive: true });
    const timer = setInterval(look, LOOK_MS);
    return () => {
      element?.removeEventListener("pointermove", onMove);
      element?.removeEventListener("pointerleave", onLeave);
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("visibilitychange", look);
      window.removeEventListener("scroll", look);
      clearInterval(timer);
    };
  }, [area, look]);
  return isHeld;
}
