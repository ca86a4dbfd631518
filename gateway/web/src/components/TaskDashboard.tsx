// TaskDashboard.tsx - everybody's tasks, moving: filters, counts, and a list each for the
// active, the failed and the completed.
import { ChevronDown, ChevronUp } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from "react";
import { useSearchParams } from "react-router";
import { useServices } from "../context/WebSocketContext";
import { useAnnounce } from "../hooks/useAnnounce";
import { useDashboardSubscription, type DashboardView } from "../hooks/useDashboardSubscription";
import { useHold } from "../hooks/useHold";
import { useLate } from "../hooks/useLate";
import { useOfflineDetection } from "../hooks/useOfflineDetection";
import { usePageTitle } from "../hooks/usePageTitle";
import { useRowKeys } from "../hooks/useRowKeys";
import { useScrollMemory } from "../hooks/useScrollMemory";
import { useSettled } from "../hooks/useSettled";
import { useStore } from "../hooks/useStore";
import { filtersFrom, filtersTo, isFiltered, sectionsOf, type Filters as Values } from "../model/filters";
import { SECTIONS, type Section } from "../model/wire";
import { Filters } from "./Filters";
import { PendingCard, SentCard } from "./PendingCard";
import { TaskForm } from "./TaskForm";
import { TaskList, type ListHandle } from "./TaskList";

const FOLDED_ROWS = 10;
const TITLES: Readonly<Record<Section, string>> = { active: "Active", failed: "Failed", completed: "Completed" };

function Counts({ totals }: { totals: DashboardView["totals"] }): ReactNode {
  if (!totals) return <p className="counts" aria-hidden>&nbsp;</p>;
  return (
    <p className="counts">
      <span data-count="active">{totals.active} active</span> · <span data-count="completed">{totals.completed} completed</span>
      {" "}· <span data-count="failed">{totals.failed} failed</span>
    </p>
  );
}

/** Tasks that are on their way to the server stand above all others. */
function usePending(rows: DashboardView["rows"]): ReactNode {
  const { outbox } = useServices();
  const { letters, receipts, isWaiting } = useStore(outbox.state);
  const created = letters.filter((l) => l.content.kind === "create" && l.refusal === null);
  const sent = receipts.filter((r) => r.letter.content.kind === "create" && !rows.has(r.taskId));
  if (created.length + sent.length === 0) return null;
  return (
    <ul className="rows-flow" aria-label="Being created">
      {created.map((letter) => <li key={letter.key}><PendingCard letter={letter} isWaiting={isWaiting} /></li>)}
      {sent.map((receipt) => <li key={receipt.letter.key}><SentCard receipt={receipt} /></li>)}
    </ul>
  );
}

function Empty({ filters, onClear }: { filters: Values; onClear: () => void }): ReactNode {
  if (!isFiltered(filters)) {
    return <p className="empty">No tasks yet. Describe one above: press <kbd>n</kbd>, write, and <kbd>Ctrl</kbd> <kbd>Enter</kbd>.</p>;
  }
  return <p className="empty">No task fits these filters. <button type="button" className="quiet small" onClick={onClear}>Show all tasks</button></p>;
}

/** Why a list is not whole. Where the network is away the banner says it. */
function Problem({ view }: { view: DashboardView }): ReactNode {
  const { problem, isTryingAgain } = view.loading;
  const { isOffline } = useOfflineDetection();
  if (!problem || (isTryingAgain && isOffline)) return null;
  return (
    <p className="problem" role="alert">
      The list could not be read: {problem}.{" "}
      {isTryingAgain ? "Trying again…" : <button type="button" className="quiet small" onClick={view.again}>Try again</button>}
    </p>
  );
}

function waitingWords(fresh: number, moved: number): string {
  return [fresh > 0 ? `${fresh} new` : "", moved > 0 ? `${moved} moved` : ""].filter(Boolean).join(" · ");
}

interface SectionProps {
  section: Section;
  pending: ReactNode;
  ids: readonly string[];
  view: DashboardView;
  me: string;
  isOnly: boolean;
  selected: string | null;
  handle: (handle: ListHandle | null) => void;
  isFolded: boolean;
  onFold: () => void;
}

function SectionView({ section, pending, ids, view, me, isOnly, selected, handle, isFolded, onFold }: SectionProps): ReactNode {
  const list = view.lists[section];
  const shown = isFolded ? ids.slice(0, FOLDED_ROWS) : ids;
  const more = useCallback(() => view.more(section), [view, section]);
  const total = view.totals?.[section] ?? ids.length;
  if (ids.length === 0 && !list.hasMore && !pending) return null;
  return (
    <section aria-labelledby={`section-${section}`} data-section={section}>
      <h2 id={`section-${section}`}>{TITLES[section]}</h2>
      {pending}
      <TaskList label={`${TITLES[section]} tasks`} ids={shown} rows={view.rows} arrivals={view.arrivals} me={me} selected={selected}
        handle={handle} onEnd={isOnly && list.hasMore ? more : null} />
      <div className="section-foot">
        {section === "completed" && !isOnly && ids.length > FOLDED_ROWS && (
          <button type="button" className="quiet" aria-expanded={!isFolded} onClick={onFold}>
            {isFolded ? <><ChevronDown aria-hidden size={16} /> Show all {Math.max(total, ids.length)}</> : <><ChevronUp aria-hidden size={16} /> Show fewer</>}
          </button>
        )}
        {list.hasMore && !isFolded && !isOnly && <button type="button" className="quiet" onClick={more}>Show more</button>}
      </div>
    </section>
  );
}

function useFilters(): [Values, (some: Partial<Values>) => void] {
  const [query, setQuery] = useSearchParams();
  const text = query.toString();
  const filters = useMemo(() => filtersFrom(new URLSearchParams(text)), [text]);
  const change = useCallback((some: Partial<Values>) => {
    setQuery((known) => filtersTo({ ...filtersFrom(known), ...some }));
  }, [setQuery]);
  return [filters, change];
}

export function TaskDashboard({ newTask }: { newTask: RefObject<HTMLTextAreaElement | null> }): ReactNode {
  const { person } = useServices();
  const [filters, change] = useFilters();
  const view = useDashboardSubscription(filters);
  const area = useRef<HTMLDivElement>(null);
  const isHeld = useHold(area);
  const { shown, fresh, moved, release } = useSettled(view.lists, filtersTo(filters).toString(), isHeld);
  const [isUnfolded, setUnfolded] = useState(false);
  const isLate = useLate(view.isUnknown || view.loading.asked.size > 0);
  const sections = sectionsOf(filters);
  const isOnly = sections.length === 1;
  const isFolded = (section: Section): boolean => section === "completed" && !isOnly && !isUnfolded;
  const visible = sections.map((s) => (isFolded(s) ? shown[s].slice(0, FOLDED_ROWS) : shown[s]));
  const { selected, handleFor } = useRowKeys(sections, visible);
  const pending = usePending(view.rows);
  const isEmpty = !view.isUnknown && !pending && SECTIONS.every((s) => shown[s].length === 0 && !view.lists[s].hasMore);
  const waiting = waitingWords(fresh, moved);
  const announce = useAnnounce();

  useScrollMemory();
  usePageTitle("");
  useEffect(() => { if (fresh > 0) announce(`${fresh} new ${fresh === 1 ? "task" : "tasks"}`); }, [announce, fresh]);

  const letIn = (): void => {
    release();
    if (fresh > 0) window.scrollTo({ top: 0 });
  };
  return (
    <main className="page" id="main">
      <h1 className="unseen">Tasks</h1>
      <TaskForm field={newTask} />
      <Filters filters={filters} rows={view.rows} onChange={change} />
      <Counts totals={view.totals} />
      <div className="waiting-bar" data-there={waiting !== "" || undefined}>
        {waiting && <button type="button" className="primary small" onClick={letIn}>{waiting}</button>}
      </div>
      <Problem view={view} />
      <div ref={area} className="lists" aria-busy={view.isUnknown}>
        {!sections.includes("active") && pending}
        {isEmpty && <Empty filters={filters} onClear={() => change({ mine: false, section: null, status: null, creator: null, words: "" })} />}
        {view.isUnknown && isLate && <p className="empty" role="status">Reading the tasks…</p>}
        {sections.map((section) => (
          <SectionView key={section} section={section} pending={section === "active" ? pending : null} ids={shown[section]} view={view} me={person.sub} isOnly={isOnly} selected={selected}
            handle={handleFor(section)} isFolded={isFolded(section)} onFold={() => setUnfolded((u) => !u)} />
        ))}
      </div>
    </main>
  );
}
