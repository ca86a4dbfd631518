// PersonPanel.tsx - what hangs from the person: light or dark, the keys, the way out.
import type { ReactNode } from "react";
import { Link } from "react-router";
import { useSession } from "../context/SessionContext";
import { useServices } from "../context/WebSocketContext";
import type { PopoverState } from "../hooks/usePopover";
import { useStore } from "../hooks/useStore";
import { THEMES, useTheme } from "../hooks/useTheme";
import { Floating } from "./Floating";

function Themes(): ReactNode {
  const { theme, setTheme } = useTheme();
  return (
    <fieldset className="themes">
      <legend className="unseen">Colours</legend>
      {THEMES.map(([value, text]) => (
        <label key={value} className="menu-item">
          {text}<input type="radio" name="theme" value={value} checked={theme === value} onChange={() => setTheme(value)} />
        </label>
      ))}
    </fieldset>
  );
}

export function PersonPanel({ popover, onHelp }: { popover: PopoverState; onHelp: () => void }): ReactNode {
  const { session } = useSession();
  const { person, outbox } = useServices();
  const { letters } = useStore(outbox.state);
  const signOut = (): void => {
    const words = letters.length === 1 ? "A form that was not sent yet is" : `${letters.length} forms that were not sent yet are`;
    if (letters.length === 0 || window.confirm(`${words} lost when you sign out. Sign out?`)) void session.signOut();
  };
  return (
    <Floating popover={popover} label="Person" className="menu">
      <p className="hint">@{person.sub} · {person.org}</p>
      <Themes />
      <hr />
      {person.roles.includes("admin") && <Link to="/admin" className="menu-item" onClick={popover.close}>Operations</Link>}
      <button type="button" className="menu-item" onClick={() => { popover.close(); onHelp(); }}>Keyboard <kbd>?</kbd></button>
      <button type="button" className="menu-item" onClick={signOut}>Sign out</button>
    </Floating>
  );
}
