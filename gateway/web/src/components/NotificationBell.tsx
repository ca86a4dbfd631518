// NotificationBell.tsx - how much this person has been told and has not read.
import { Bell } from "lucide-react";
import { Suspense, useEffect, type ReactNode } from "react";
import { useNotifications } from "../hooks/useNotifications";
import { usePopover } from "../hooks/usePopover";
import { NotificationList } from "../parts";

export function NotificationBell(): ReactNode {
  const { unread } = useNotifications();
  const popover = usePopover();
  const count = unread.length;
  useEffect(() => {
    const base = document.title.replace(/^\(\d+\) /, "");
    document.title = count > 0 ? `(${count}) ${base}` : base;
  });
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
