// useNotifications.ts - what the bell shows, and what may be said outside of the page.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { useServices } from "../context/WebSocketContext";
import type { Notice } from "../model/wire";
import { keys } from "../store/keys";
import { usePolling } from "./usePolling";
import { useStore } from "./useStore";

const POLL_MS = 15_000;

export interface NotificationsView {
  notices: readonly Notice[];
  unread: readonly Notice[];
  isRead: (id: string) => boolean;
  markRead: (ids: readonly string[]) => void;
}

export function useNotifications(): NotificationsView {
  const { notices: feed, live } = useServices();
  const { data: notices = [] } = useQuery<Notice[]>({ queryKey: keys.notices, enabled: false });
  const read = useStore(feed.read);
  const { phase } = useStore(live.connection);
  usePolling(phase === "fetching", POLL_MS, () => feed.fetch());
  const markRead = useCallback((ids: readonly string[]) => { void feed.markRead(ids); }, [feed]);
  return { notices, unread: notices.filter((n) => !read.has(n.id)), isRead: (id) => read.has(id), markRead };
}

export type Permission = NotificationPermission | "unsupported";

/** The browser's own notifications: whether the person allows them, and how to ask. */
export function useBrowserPermission(): { permission: Permission; ask: () => void } {
  const [permission, setPermission] = useState<Permission>(
    () => (typeof Notification === "undefined" ? "unsupported" : Notification.permission));
  const ask = useCallback(() => {
    if (typeof Notification === "undefined") return;
    void Notification.requestPermission().then(setPermission);
  }, []);
  return { permission, ask };
}

/** Says new notices outside of the page while nobody looks at it. `open` brings the task up. */
export function useBrowserNotifications(open: (notice: Notice) => void): void {
  const { notices: feed } = useServices();
  const announced = useStore(feed.announced);
  useEffect(() => {
    if (typeof Notification === "undefined" || Notification.permission !== "granted" || !document.hidden) return;
    for (const notice of announced) {
      // Every tab says it; the tag makes it one.
      const shown = new Notification(noticeTitle(notice), { body: `${notice.title}\n${notice.message}`, tag: notice.id });
      shown.addEventListener("click", () => {
        window.focus();
        open(notice);
        shown.close();
      });
    }
  }, [announced, open]);
}

export function noticeTitle(notice: Notice): string {
  const titles: Record<Notice["kind"], string> = {
    needs_answer: "Needs your answer", pr_ready: "PR ready for review", merged: "Merged", failed: "Failed",
  };
  return titles[notice.kind];
}
