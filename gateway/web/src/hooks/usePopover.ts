// usePopover.ts - a button and what hangs from it, once it has been asked for.
import { useCallback, useRef, useState, type RefObject } from "react";

export interface PopoverState {
  isOpen: boolean;
  /** It was open once: what it shows has been loaded. */
  wasOpened: boolean;
  button: RefObject<HTMLButtonElement | null>;
  toggle: () => void;
  close: () => void;
}

export function usePopover(): PopoverState {
  const button = useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = useState(false);
  const [wasOpened, setOpened] = useState(false);
  const toggle = useCallback(() => {
    setOpened(true);
    setOpen((open) => !open);
  }, []);
  const close = useCallback(() => setOpen(false), []);
  return { isOpen, wasOpened, button, toggle, close };
}
