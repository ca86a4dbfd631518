// parts.ts - what the first paint does not need: loaded when the page has come to rest, so that
// it is there before somebody asks for it.
import { lazy } from "react";
import { keepPage } from "./offline/register";

const load = {
  task: () => import("./components/TaskDetail"),
  notices: () => import("./components/NotificationList"),
  person: () => import("./components/PersonPanel"),
  toasts: () => import("./components/Toasts"),
  help: () => import("./components/Help"),
};

export const TaskDetail = lazy(async () => ({ default: (await load.task()).TaskDetail }));
export const NotificationList = lazy(async () => ({ default: (await load.notices()).NotificationList }));
export const PersonPanel = lazy(async () => ({ default: (await load.person()).PersonPanel }));
export const Toasts = lazy(async () => ({ default: (await load.toasts()).Toasts }));
/** Of operators alone: loaded when it is asked for. */
export const AdminPage = lazy(async () => ({ default: (await import("./admin/AdminPage")).AdminPage }));
export const Help = lazy(async () => ({ default: (await load.help()).Help }));

const TASK_MS = 1000;
const REST_MS = 5000;
const RELOADED = "taskwire.reloaded";
const RELOAD_EVERY_MS = 60_000;

export function loadPartsAtRest(): void {
  setTimeout(() => { load.task().catch(() => undefined); }, TASK_MS);
  setTimeout(() => {
    const parts = Object.values(load).map((part) => part().catch(() => undefined));
    if (import.meta.env.PROD) void Promise.all(parts).then(() => keepPage());
  }, REST_MS);
  // A part is gone because the page was built anew since: the new page has its own.
  window.addEventListener("vite:preloadError", () => {
    const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
    if (Date.now() - last < RELOAD_EVERY_MS || !navigator.onLine) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    window.location.reload();
  });
}
