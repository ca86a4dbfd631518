// TaskCard.tsx - a task as a row of the dashboard.
import { Lock } from "lucide-react";
import { memo, useEffect, useRef, type ReactNode } from "react";
import { Link } from "react-router";
import type { Row } from "../model/wire";
import { Age } from "./Age";
import { Issue, PullRequest } from "./PullRequest";
import { StatusBadge } from "./StatusBadge";

interface Props {
  row: Row;
  isMine: boolean;
  /** It came while the page was open, a moment ago. */
  isNew: boolean;
  /** The keyboard is here. */
  isSelected: boolean;
}

export const TaskCard = memo(function TaskCard({ row, isMine, isNew, isSelected }: Props): ReactNode {
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => { if (isSelected) link.current?.focus({ preventScroll: true }); }, [isSelected]);
  return (
    <article className="card" data-new={isNew || undefined} data-task={row.taskId}>
      <StatusBadge status={row.status} isYours={isMine} />
      <div className="card-what">
        <Link ref={link} className="card-title" to={`/tasks/${row.taskId}`}>{row.title}</Link>
        <div className="card-by">
          {row.isPrivate && <Lock aria-label="only for you" size={12} />}
          <span>created by @{row.creator || row.createdBy}</span>
          <span aria-hidden>·</span>
          <Age at={row.createdAt} />
        </div>
      </div>
      <div className="card-links">
        {row.issueNumber !== undefined && <Issue number={row.issueNumber} url={row.issueUrl} />}
        {row.prNumber !== undefined && <PullRequest number={row.prNumber} url={row.prUrl} state={row.prState} />}
      </div>
      <span className="card-age" title="in this status"><Age at={row.statusSince} form="lasting" /></span>
    </article>
  );
});

/** The place of a task that this person may no longer see, until the list may move. */
export function GoneCard(): ReactNode {
  return <div className="card card-gone">This task is no longer visible to you.</div>;
}
