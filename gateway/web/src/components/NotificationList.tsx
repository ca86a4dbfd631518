// NotificationList.tsx - what hangs from the bell.
import type { ReactNode } from "react";
import { Link } from "react-router";
import { noticeTitle, useBrowserPermission, useNotifications } from "../hooks/useNotifications";
import type { PopoverState } from "../hooks/usePopover";
import { safeUrl } from "../model/links";
import type { Notice } from "../model/wire";
import { Age } from "./Age";
import { Floating } from "./Floating";
import { NoticeIcon } from "./NoticeIcon";

function Item({ notice, isRead, onOpen }: { notice: Notice; isRead: boolean; onOpen: () => void }): ReactNode {
  const url = safeUrl(notice.url);
  return (
    <li className="notice" data-kind={notice.kind} data-read={isRead || undefined}>
      <NoticeIcon kind={notice.kind} size={16} />
      <div className="notice-body">
        <Link to={`/tasks/${notice.taskId}`} onClick={onOpen}>{noticeTitle(notice)}: {notice.title}</Link>
        <p>{notice.message}</p>
        {url && notice.kind === "pr_ready" && (
          <a href={url} target="_blank" rel="noopener noreferrer" onClick={onOpen}>Open pull request</a>
        )}
        <span className="hint"><Age at={notice.createdAt} /></span>
      </div>
    </li>
  );
}

function AskPermission(): ReactNode {
  const { permission, ask } = useBrowserPermission();
  if (permission !== "default") return null;
  return <button type="button" className="quiet small" onClick={ask}>Also tell me when this page is not in front</button>;
}

export function NotificationList({ popover }: { popover: PopoverState }): ReactNode {
  const { notices, unread, isRead, markRead } = useNotifications();
  const open = (notice: Notice): void => {
    markRead([notice.id]);
    popover.close();
  };
  return (
    <Floating popover={popover} label="Notifications" className="notices">
      <div className="notices-head">
        <strong>Notifications</strong>
        {unread.length > 0 && <button type="button" className="quiet small" onClick={() => markRead(unread.map((n) => n.id))}>Mark all read</button>}
      </div>
      {notices.length === 0 && <p className="hint">Nothing new. Here you hear when a task of yours needs an answer, or its pull request is ready.</p>}
      <ul>
        {notices.map((n) => <Item key={n.id} notice={n} isRead={isRead(n.id)} onOpen={() => open(n)} />)}
      </ul>
      <AskPermission />
    </Floating>
  );
}
