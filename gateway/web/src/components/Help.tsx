// Help.tsx - the keys.
import * as Dialog from "@radix-ui/react-dialog";
import { X } from "lucide-react";
import { useState, type ReactNode } from "react";

const KEYS: readonly (readonly [string, string])[] = [
  ["n", "New task"], ["/", "Search"], ["j", "Next row"], ["k", "Row before"], ["Enter", "Open the row"],
  ["g d", "Dashboard"], ["Esc", "Close, leave a field"], ["Ctrl Enter", "Send a form"], ["?", "This help"],
];

export function Help({ isOpen, onOpenChange }: { isOpen: boolean; onOpenChange: (isOpen: boolean) => void }): ReactNode {
  const [before] = useState(() => document.activeElement);
  return (
    <Dialog.Root open={isOpen} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <div className="veil" />
        <Dialog.Content className="dialog" aria-describedby={undefined} onCloseAutoFocus={(event) => {
          event.preventDefault(); // it was opened by a key: no button of its own to go back to
          if (before instanceof HTMLElement) before.focus();
        }}>
          <Dialog.Title>Keyboard</Dialog.Title>
          <dl className="keys">
            {KEYS.map(([key, text]) => (
              <div key={key}>
                <dt>{key.split(" ").map((k) => <kbd key={k}>{k}</kbd>)}</dt>
                <dd>{text}</dd>
              </div>
            ))}
          </dl>
          <Dialog.Close className="quiet icon-only dialog-close" aria-label="Close"><X aria-hidden size={16} /></Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
