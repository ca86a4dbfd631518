// Toasts.tsx - news that should not wait for a look at the bell.
import * as Toast from "@radix-ui/react-toast";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { useServices } from "../context/WebSocketContext";
import { noticeTitle } from "../hooks/useNotifications";
import { safeUrl } from "../model/links";
import type { Notice } from "../model/wire";
import { NoticeIcon } from "./NoticeIcon";

const SHOWN_MS = 8000;

function NoticeToast({ notice }: { notice: Notice }): ReactNode {
  const { notices: feed } = useServices();
  const url = notice.kind === "pr_ready" ? safeUrl(notice.url) : null;
  const read = (): void => { void feed.markRead([notice.id]); };
  return (
    <Toast.Root className="toast" data-kind={notice.kind} duration={SHOWN_MS} type="background"
      onOpenChange={(isOpen) => { if (!isOpen) feed.dismiss([notice.id]); }}>
      <NoticeIcon kind={notice.kind} size={18} />
      <div className="toast-body">
        <Toast.Title asChild><strong>{noticeTitle(notice)}</strong></Toast.Title>
        <Toast.Description asChild><p><Link to={`/tasks/${notice.taskId}`} onClick={read}>{notice.title}</Link></p></Toast.Description>
        {url && <a href={url} target="_blank" rel="noopener noreferrer" onClick={read}>Open pull request</a>}
      </div>
      <Toast.Close className="quiet icon-only" aria-label="Dismiss"><X aria-hidden size={16} /></Toast.Close>
    </Toast.Root>
  );
}

export function Toasts({ notices }: { notices: readonly Notice[] }): ReactNode {
  return (
    <Toast.Provider label="Notification" swipeDirection="right">
      {notices.map((notice) => <NoticeToast key={notice.id} notice={notice} />)}
      <Toast.Viewport className="toasts" />
    </Toast.Provider>
  );
}
