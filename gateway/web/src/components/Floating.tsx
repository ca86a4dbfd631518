// Floating.tsx - a panel that hangs from a button: focus goes in and comes back, Escape and a
// click elsewhere close it. It is loaded when the page has come to rest (parts.ts); the buttons
// are there from the beginning.
import * as Popover from "@radix-ui/react-popover";
import type { ReactNode } from "react";
import type { PopoverState } from "../hooks/usePopover";

interface Props {
  popover: PopoverState;
  label: string;
  className: string;
  children: ReactNode;
}

export function Floating({ popover, label, className, children }: Props): ReactNode {
  const { isOpen, close, button } = popover;
  return (
    <Popover.Root open={isOpen} onOpenChange={(open) => { if (!open) close(); }}>
      <Popover.Anchor virtualRef={button as React.RefObject<HTMLButtonElement>} />
      <Popover.Portal>
        <Popover.Content className={`popover ${className}`} align="end" sideOffset={8} collisionPadding={8} aria-label={label}
          onInteractOutside={(event) => { if (button.current?.contains(event.target as Node)) event.preventDefault(); }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            button.current?.focus();
          }}>
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
