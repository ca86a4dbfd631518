// TaskFacts.tsx - the side column of a task: links, names, times, and who may see it.
import { useState, type ReactNode } from "react";
import { useServices } from "../context/WebSocketContext";
import { useTaskEdit } from "../hooks/useTaskEdit";
import { shortSha } from "../model/timeline";
import type { Task } from "../model/wire";
import { Age } from "./Age";
import { Issue, PullRequest } from "./PullRequest";

function Fact({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function Visibility({ task }: { task: Task }): ReactNode {
  const { person } = useServices();
  const { isSaving, save } = useTaskEdit(task.taskId);
  const [problem, setProblem] = useState<string | null>(null);
  const change = async (): Promise<void> => {
    const outcome = await save(task, { isPrivate: !task.isPrivate });
    setProblem(outcome.kind === "saved" ? null : outcome.kind === "conflict" ? "It was changed elsewhere meanwhile." : `${outcome.message}.`);
  };
  return (
    <Fact name="Visible to">
      {task.isPrivate ? "only you" : "the organisation"}{" "}
      {task.createdBy === person.sub && (
        <button type="button" className="quiet small" disabled={isSaving} onClick={() => { void change(); }}>
          {task.isPrivate ? "Show to all" : "Make private"}
        </button>
      )}
      {problem && <span className="problem" role="alert">{problem}</span>}
    </Fact>
  );
}

export function TaskFacts({ task }: { task: Task }): ReactNode {
  return (
    <aside className="facts" aria-label="Facts">
      <dl>
        {task.issueNumber !== undefined && <Fact name="Issue"><Issue number={task.issueNumber} url={task.issueUrl} /></Fact>}
        {task.prNumber !== undefined && (
          <Fact name="Pull request">
            <PullRequest number={task.prNumber} url={task.prUrl} state={task.prState} />
            {task.prTitle && task.prTitle !== task.title && <div className="fact-note">{task.prTitle}</div>}
          </Fact>
        )}
        {task.mergeCommitSha && (
          <Fact name="Merge commit"><code title={task.mergeCommitSha}>{shortSha(task.mergeCommitSha)}</code></Fact>
        )}
        {task.mergedAt && <Fact name="Merged"><Age at={task.mergedAt} /></Fact>}
        {task.githubBranch && <Fact name="Branch"><code>{task.githubBranch}</code></Fact>}
        {task.repo && <Fact name="Repository">{task.repo}</Fact>}
        {task.taskType && <Fact name="Kind">{task.taskType.replaceAll("_", " ")}</Fact>}
        <Fact name="Created by">@{task.creator || task.createdBy}</Fact>
        <Fact name="Created"><Age at={task.createdAt} /></Fact>
        <Fact name="In this status"><Age at={task.statusSince} form="lasting" /></Fact>
        <Visibility task={task} />
      </dl>
    </aside>
  );
}
