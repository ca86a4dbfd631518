// Floating.tsx - a panel that hangs from a button of the bar: focus goes in and comes back, Escape
// and a click elsewhere close it. Its place is the bar's end, so nothing needs to be measured. It
// is loaded when the page has come to rest (parts.ts); the buttons are there from the beginning.
import * as Dialog from "@radix-ui/react-dialog";
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
    <Dialog.Root modal={false} open={isOpen} onOpenChange={(open) => { if (!open) close(); }}>
      <Dialog.Portal>
        <Dialog.Content className={`popover ${className}`} aria-describedby={undefined}
          onInteractOutside={(event) => { if (button.current?.contains(event.target as Node)) event.preventDefault(); }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            button.current?.focus();
          }}>
          <Dialog.Title className="unseen">{label}</Dialog.Title>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
