// TopBar.tsx - name, connection, search, bell, person.
import { Search } from "lucide-react";
import { Suspense, useEffect, useState, type FormEvent, type ReactNode, type RefObject } from "react";
import { Link, useLocation, useNavigate, useSearchParams } from "react-router";
import { useServices } from "../context/WebSocketContext";
import { usePopover } from "../hooks/usePopover";
import { PersonPanel } from "../parts";
import { ConnectionStatus } from "./ConnectionStatus";
import { NotificationBell } from "./NotificationBell";
import { Avatar } from "./Presence";

const SEARCH_AFTER_MS = 250;

/** On the dashboard the search applies while one types; elsewhere Enter leads there. */
function SearchBox({ field }: { field: RefObject<HTMLInputElement | null> }): ReactNode {
  const [query, setQuery] = useSearchParams();
  const navigate = useNavigate();
  const isDashboard = useLocation().pathname === "/";
  const said = isDashboard ? query.get("q") ?? "" : "";
  const [text, setText] = useState(said);
  useEffect(() => setText(said), [said]);
  useEffect(() => {
    if (!isDashboard || text === said) return undefined;
    const timer = setTimeout(() => {
      setQuery((known) => {
        const next = new URLSearchParams(known);
        if (text.trim()) next.set("q", text);
        else next.delete("q");
        return next;
      }, { replace: said !== "" });
    }, SEARCH_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isDashboard, text, said, setQuery]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isDashboard) void navigate(`/?${new URLSearchParams({ q: text })}`);
  };
  return (
    <form className="search" role="search" onSubmit={submit}>
      <Search aria-hidden size={14} />
      <input ref={field} type="search" aria-label="Search tasks" placeholder="Search" value={text} maxLength={200}
        onChange={(e) => setText(e.target.value)} onKeyDown={(e) => { if (e.key === "Escape") { setText(""); field.current?.blur(); } }} />
      <kbd aria-hidden>/</kbd>
    </form>
  );
}

function PersonMenu({ onHelp }: { onHelp: () => void }): ReactNode {
  const { person } = useServices();
  const popover = usePopover();
  return (
    <>
      <button ref={popover.button} type="button" className="quiet person" aria-haspopup="dialog" aria-expanded={popover.isOpen}
        onClick={popover.toggle}>
        <Avatar userId={person.sub} name={person.name} /><span className="unseen">Signed in as</span>
        <span className="person-name">{person.name}</span>
      </button>
      {popover.wasOpened && <Suspense><PersonPanel popover={popover} onHelp={onHelp} /></Suspense>}
    </>
  );
}

export function TopBar({ search, onHelp }: { search: RefObject<HTMLInputElement | null>; onHelp: () => void }): ReactNode {
  return (
    <header className="bar">
      <a className="skip" href="#main">To the content</a>
      <Link to="/" className="brand">Taskwire</Link>
      <ConnectionStatus />
      <span className="grow" />
      <SearchBox field={search} />
      <NotificationBell />
      <PersonMenu onHelp={onHelp} />
    </header>
  );
}
