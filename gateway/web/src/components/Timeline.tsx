// Timeline.tsx - all that happened to a task, the newest at the bottom. It follows the newest
// while the reader is there; who has scrolled up is left alone, and told of new events.
import {
  ArrowDown, Ban, Bot, CircleAlert, CircleX, Code, FileText, GitMerge, GitPullRequest, GitPullRequestClosed,
  MessageSquare, MessagesSquare, Pencil, PlusCircle, ScanSearch, Send, type LucideIcon,
} from "lucide-react";
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Away } from "../hooks/useSeen";
import { actorName, factsOf, INPUT_TEXTS, type Fact, type Pull } from "../model/timeline";
import type { Input, Task, TimelineEvent } from "../model/wire";
import { Age } from "./Age";
import { ExternalLink } from "./ExternalLink";

const ICONS: Readonly<Record<Input, LucideIcon>> = {
  created: PlusCircle, analyzing: ScanSearch, llm_response: Bot, clarification_needed: CircleAlert,
  clarification_submitted: MessagesSquare, dispatched: Send, coding: Code, pr_opened: GitPullRequest,
  pr_updated: GitPullRequest, pr_merged: GitMerge, pr_closed: GitPullRequestClosed, failed: CircleX, edited: Pencil,
  note: FileText, pr_comment: MessageSquare, pr_review: MessagesSquare,
};
const NEAR_END_PX = 40;

function FactView({ fact }: { fact: Fact }): ReactNode {
  if (fact.kind === "list") {
    return <ol className="fact-list">{fact.items.map((item, i) => <li key={i}>{item}</li>)}</ol>;
  }
  if (fact.kind === "text") return <p className="fact-text">{fact.text}</p>;
  const text = fact.kind === "code" ? <code>{fact.text}</code> : fact.text;
  return fact.href ? <ExternalLink url={fact.href} className="fact">{text}</ExternalLink> : <span className="fact">{text}</span>;
}

interface EventProps {
  event: TimelineEvent;
  /** Of the task, not of the event: what it is of its pull request. */
  pull: Pull;
  actor: string;
  isUnseen: boolean;
  /** It came while the page was open. */
  isNew: boolean;
}

const EventView = memo(function EventView({ event, pull, actor, isUnseen, isNew }: EventProps): ReactNode {
  const Icon = ICONS[event.eventType] ?? Ban;
  const facts = factsOf(event, pull);
  const inline = facts.filter((f) => f.kind === "fact" || f.kind === "code");
  const below = facts.filter((f) => f.kind === "text" || f.kind === "list");
  return (
    <li className="event" data-event={event.eventType} data-seq={event.seq} data-unseen={isUnseen || undefined} data-new={isNew || undefined}>
      <span className="event-mark"><Icon aria-hidden size={14} /></span>
      <div className="event-body">
        <div className="event-head">
          <strong>{INPUT_TEXTS[event.eventType] ?? event.eventType}</strong>
          <span className="event-actor">{actor}</span>
          {inline.map((fact, i) => <FactView key={i} fact={fact} />)}
          <span className="event-age"><Age at={event.createdAt} /></span>
        </div>
        {below.map((fact, i) => <FactView key={i} fact={fact} />)}
      </div>
    </li>
  );
});

function isUnseen(event: TimelineEvent, away: Away | null): boolean {
  return away !== null && event.seq > away.from && (away.to === null || event.seq <= away.to);
}

interface Props {
  task: Task;
  /** What came while the person was away; null: this is their first time here. */
  away: Away | null;
  older: () => Promise<boolean>;
}

export function Timeline({ task, away, older }: Props): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const lowest = useRef(task.seq); // what comes later fades in
  const [missed, setMissed] = useState(0);
  const [isReading, setReading] = useState(false);
  const last = task.events.at(-1)?.seq ?? 0;
  const first = task.events[0]?.seq ?? 1;
  const { prNumber, prUrl } = task;
  const pull = useMemo(() => ({ prNumber, prUrl }), [prNumber, prUrl]);
  const unseenCount = task.events.filter((e) => isUnseen(e, away)).length;

  const toEnd = (): void => {
    box.current?.scrollTo({ top: box.current.scrollHeight });
    setMissed(0);
  };
  const previous = useRef(last);
  useLayoutEffect(() => {
    const added = task.events.filter((e) => e.seq > previous.current).length;
    previous.current = last;
    if (isAtEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
    else if (added > 0) setMissed((n) => n + added);
  }, [last, task.events]);

  useEffect(() => {
    const onScroll = (): void => {
      const b = box.current;
      if (!b) return;
      isAtEnd.current = b.scrollHeight - b.scrollTop - b.clientHeight < NEAR_END_PX;
      if (isAtEnd.current) setMissed(0);
    };
    const element = box.current;
    element?.addEventListener("scroll", onScroll, { passive: true });
    return () => element?.removeEventListener("scroll", onScroll);
  }, []);

  const readOlder = async (): Promise<void> => {
    const b = box.current;
    const below = b ? b.scrollHeight - b.scrollTop : 0;
    setReading(true);
    await older().catch(() => false);
    setReading(false);
    requestAnimationFrame(() => { if (b) b.scrollTop = b.scrollHeight - below; });
  };

  return (
    <section className="timeline" aria-label="Timeline">
      <h2>Timeline</h2>
      <div className="timeline-box" ref={box} role="log" aria-label="Events of this task" tabIndex={0}>
        {first > 1 && (
          <button type="button" className="quiet small" disabled={isReading} onClick={() => { void readOlder(); }}>
            {isReading ? "Reading…" : `Earlier events (${first - 1})`}
          </button>
        )}
        <ol className="events">
          {task.events.map((event) => (
            <EventView key={event.seq} event={event} pull={pull} actor={actorName(event, task)} isNew={event.seq > lowest.current}
              isUnseen={isUnseen(event, away)} />
          ))}
        </ol>
      </div>
      {unseenCount > 0 && <p className="away-note">{unseenCount === 1 ? "1 event" : `${unseenCount} events`} while you were away, marked above.</p>}
      {missed > 0 && (
        <button type="button" className="primary small pill" onClick={toEnd}>
          <ArrowDown aria-hidden size={14} /> {missed === 1 ? "1 new event" : `${missed} new events`}
        </button>
      )}
    </section>
  );
}
