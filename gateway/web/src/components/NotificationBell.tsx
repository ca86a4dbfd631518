// NotificationBell.tsx - how much this person has been told and has not read.
import { Bell } from "lucide-react";
import { Suspense, useEffect, type ReactNode } from "react";
import { useNotifications } from "../hooks/useNotifications";
import { pageTitle } from "../hooks/usePageTitle";
import { usePopover } from "../hooks/usePopover";
import { useStore } from "../hooks/useStore";
import { NotificationList } from "../parts";

export function NotificationBell(): ReactNode {
  const { unread } = useNotifications();
  const popover = usePopover();
  const count = unread.length;
  const title = useStore(pageTitle);
  useEffect(() => { document.title = count > 0 ? `(${count}) ${title}` : title; }, [count, title]);
  return (
    <>
      <button ref={popover.button} type="button" className="quiet icon-only bell" aria-haspopup="dialog" aria-expanded={popover.isOpen}
        aria-label={count === 0 ? "Notifications" : `Notifications, ${count} unread`} onClick={popover.toggle}>
        <Bell aria-hidden size={18} />
        {count > 0 && <span className="bell-count" aria-hidden>{count > 99 ? "99+" : count}</span>}
      </button>
      {popover.wasOpened && <Suspense><NotificationList popover={popover} /></Suspense>}
    </>
  );
}
