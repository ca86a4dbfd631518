// PullRequest.tsx - a task's pull request and how it stands: draft, open, merged or closed.
import { CircleDot, GitMerge, GitPullRequest, GitPullRequestClosed, GitPullRequestDraft, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import type { PrState } from "../model/wire";
import { ExternalLink } from "./ExternalLink";

const ICONS: Readonly<Record<PrState, LucideIcon>> = {
  draft: GitPullRequestDraft, open: GitPullRequest, merged: GitMerge, closed: GitPullRequestClosed,
};

interface Props {
  number: number;
  url: string | undefined;
  state: PrState | undefined;
}

export function PullRequest({ number, url, state = "open" }: Props): ReactNode {
  const Icon = ICONS[state];
  return (
    <ExternalLink url={url} className="pull">
      <span className="unseen">Pull request</span>
      <span className="pull-state" data-pr={state}>
        <Icon aria-hidden size={14} />
        {state}
      </span>
      #{number}
    </ExternalLink>
  );
}

export function Issue({ number, url }: { number: number; url: string | undefined }): ReactNode {
  return (
    <ExternalLink url={url} className="issue">
      <span className="unseen">Issue</span>
      <CircleDot aria-hidden size={14} />#{number}
    </ExternalLink>
  );
}
