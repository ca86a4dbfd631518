// StatusBadge.tsx - where a task is: icon, word and colour, never one of them alone. The same
// element lives through a change, so that its colours fade into each other.
import {
  CircleAlert, CircleX, Code, GitMerge, GitPullRequest, Inbox, ScanSearch, Send, type LucideIcon,
} from "lucide-react";
import type { ReactNode } from "react";
import { STATUS_TEXTS, type Status } from "../model/wire";

const ICONS: Readonly<Record<Status, LucideIcon>> = {
  received: Inbox,
  analyzing: ScanSearch,
  needs_clarification: CircleAlert,
  dispatched: Send,
  coding: Code,
  pr_open: GitPullRequest,
  merged: GitMerge,
  failed: CircleX,
};

interface Props {
  status: Status;
  /** The person who looks is the one who is asked. */
  isYours?: boolean;
}

export function StatusBadge({ status, isYours = false }: Props): ReactNode {
  const Icon = ICONS[status];
  const needsYou = isYours && status === "needs_clarification";
  return (
    <span className="badge" data-status={status} title={needsYou ? STATUS_TEXTS[status] : undefined}>
      <Icon aria-hidden size={14} strokeWidth={2} />
      <span>{needsYou ? "Needs you" : STATUS_TEXTS[status]}</span>
    </span>
  );
}
