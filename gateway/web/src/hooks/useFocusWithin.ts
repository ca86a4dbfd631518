// useFocusWithin.ts - is the focus in here? When it leaves by a press of the pointer, that is told
// only after the release: what is laid out by it must not move under a click that is under way.
import { useEffect, useRef, useState, type RefObject } from "react";

export function useFocusWithin(area: RefObject<HTMLElement | null>): boolean {
  const [isIn, setIn] = useState(false);
  const isDown = useRef(false);
  useEffect(() => {
    const element = area.current;
    const look = (): void => setIn(element?.contains(document.activeElement) ?? false);
    const onDown = (): void => { isDown.current = true; };
    const onUp = (): void => {
      isDown.current = false;
      setTimeout(look, 0); // the click itself comes first
    };
    const onFocusOut = (): void => { if (!isDown.current) setTimeout(look, 0); };
    const ups = ["pointerup", "pointercancel"] as const;
    document.addEventListener("pointerdown", onDown, true);
    for (const up of ups) document.addEventListener(up, onUp, true);
    element?.addEventListener("focusin", look);
    element?.addEventListener("focusout", onFocusOut);
    return () => {
      document.removeEventListener("pointerdown", onDown, true);
      for (const up of ups) document.removeEventListener(up, onUp, true);
      element?.removeEventListener("focusin", look);
      element?.removeEventListener("focusout", onFocusOut);
    };
  }, [area]);
  return isIn;
}
