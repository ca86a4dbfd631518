// NoticeIcon.tsx - what kind of news it is, at a glance.
import { CircleAlert, CircleX, GitMerge, GitPullRequest, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import type { Notice } from "../model/wire";

const ICONS: Readonly<Record<Notice["kind"], LucideIcon>> = {
  needs_answer: CircleAlert, pr_ready: GitPullRequest, merged: GitMerge, failed: CircleX,
};

export function NoticeIcon({ kind, size }: { kind: Notice["kind"]; size: number }): ReactNode {
  const Icon = ICONS[kind];
  return <Icon aria-hidden size={size} />;
}
