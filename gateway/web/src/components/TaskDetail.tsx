// TaskDetail.tsx - one task: where it is, what it says, all that happened, and what is asked.
import { ArrowLeft, CircleX, Lock } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { useServices } from "../context/WebSocketContext";
import { useAnnounce } from "../hooks/useAnnounce";
import { useLate } from "../hooks/useLate";
import { useNotifications } from "../hooks/useNotifications";
import { usePageTitle } from "../hooks/usePageTitle";
import { useSeen } from "../hooks/useSeen";
import { useTaskSubscription } from "../hooks/useTaskSubscription";
import { useWebSocket } from "../hooks/useWebSocket";
import { isStale } from "../live/connection";
import { STATUS_TEXTS, type Task } from "../model/wire";
import { ClarificationForm } from "./ClarificationForm";
import { EditableText } from "./EditableText";
import { NotFound } from "./NotFound";
import { Presence } from "./Presence";
import { StatusBadge } from "./StatusBadge";
import { TaskFacts } from "./TaskFacts";
import { Timeline } from "./Timeline";

const TITLE_MAX = 200;
const DESCRIPTION_MAX = 10_000;

function useStatusAnnounced(task: Task | undefined): void {
  const announce = useAnnounce();
  const status = task?.status;
  useEffect(() => { if (status) announce(`Status: ${STATUS_TEXTS[status]}`); }, [announce, status]);
}

/** Who opens a task has heard what was to be told of it. */
function useNoticesRead(taskId: string): void {
  const { unread, markRead } = useNotifications();
  const opened = useRef<string | null>(null);
  useEffect(() => {
    if (opened.current === taskId) return;
    opened.current = taskId;
    markRead(unread.filter((n) => n.taskId === taskId).map((n) => n.id));
  }, [taskId, unread, markRead]);
}

function Heading({ task, me }: { task: Task; me: string }): ReactNode {
  return (
    <div className="task-head">
      <EditableText task={task} field="title" limit={TITLE_MAX}><h1>{task.title}</h1></EditableText>
      <div className="task-status">
        <StatusBadge status={task.status} isYours={task.createdBy === me} />
        {task.isPrivate && <span className="hint"><Lock aria-hidden size={12} /> only for you</span>}
      </div>
    </div>
  );
}

/** A title that is the description's first line needs not be said twice. */
function bodyOf(task: Task): string {
  const [first = "", ...rest] = task.description.trimStart().split("\n");
  return first.trim() === task.title ? rest.join("\n").trim() : task.description;
}

function Description({ task }: { task: Task }): ReactNode {
  const body = bodyOf(task);
  return (
    <EditableText task={task} field="description" limit={DESCRIPTION_MAX}>
      {body ? <p className="description">{body}</p> : <p className="description hint">No description beyond the title.</p>}
    </EditableText>
  );
}

function Loading({ problem }: { problem: string | null }): ReactNode {
  const isLate = useLate(true);
  return (
    <main className="page" id="main" aria-busy>
      {problem ? <p className="problem" role="alert">The task could not be read: {problem}.</p> : isLate && <p className="empty" role="status">Reading the task…</p>}
    </main>
  );
}

export function TaskDetail(): ReactNode {
  const { taskId = "" } = useParams();
  const { person } = useServices();
  const { connection } = useWebSocket();
  const { task, presence, gone, problem, older } = useTaskSubscription(taskId);
  const away = useSeen(taskId, task, isStale(connection));
  useStatusAnnounced(task);
  useNoticesRead(taskId);
  useLayoutEffect(() => { window.scrollTo(0, 0); }, [taskId]);
  usePageTitle(task?.title ?? "");

  if (gone === "evicted") return <NotFound title="This task is private now" text="Its creator keeps it to themselves." />;
  if (gone) return <NotFound title="There is no such task" text="It does not exist, or you may not see it." />;
  if (!task) return <Loading problem={problem} />;
  return (
    <main className="page task" id="main" data-task={task.taskId} data-seq={task.seq}>
      <nav className="task-nav"><Link to="/" className="quiet"><ArrowLeft aria-hidden size={14} /> All tasks</Link></nav>
      <Heading task={task} me={person.sub} />
      <div className="task-main">
        {problem && <p className="problem" role="alert">{problem}.</p>}
        <Description task={task} />
        {task.status === "failed" && (
          <p className="failure"><CircleX aria-hidden size={16} /> {task.errorMessage ?? (task.prState === "closed" ? "The pull request was closed without being merged." : "The task has failed.")}</p>
        )}
      </div>
      <div className="task-side">
        <Presence presence={presence} me={person.sub} />
        <TaskFacts task={task} />
      </div>
      <div className="task-story">
        <Timeline key={task.taskId} task={task} away={away} older={older} />
        <ClarificationForm task={task} />
      </div>
    </main>
  );
}
