// App.tsx - the page: bar, routes, and what lies over them.
import { Suspense, useCallback, useEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { Route, Routes, useLocation, useNavigate } from "react-router";
import { Announcer } from "./components/Announcer";
import { Broken } from "./components/Broken";
import { NotFound } from "./components/NotFound";
import { OfflineBanner } from "./components/OfflineBanner";
import { TaskDashboard } from "./components/TaskDashboard";
import { TopBar } from "./components/TopBar";
import { useServices } from "./context/WebSocketContext";
import { useBrowserNotifications } from "./hooks/useNotifications";
import { useOfflineDetection } from "./hooks/useOfflineDetection";
import { useShortcuts } from "./hooks/useShortcuts";
import { useStore } from "./hooks/useStore";
import type { Notice } from "./model/wire";
import { AdminPage, Help, TaskDetail, Toasts } from "./parts";

/** News of this person: outside of the page while it is hidden, as toasts on it. */
function News(): ReactNode {
  const navigate = useNavigate();
  const { notices: feed } = useServices();
  const { pathname } = useLocation();
  const announced = useStore(feed.announced);
  // Who looks at the questions need not be told that there are some.
  const shown = announced.filter((n) => n.kind !== "needs_answer" || pathname !== `/tasks/${n.taskId}`);
  const open = useCallback((notice: Notice) => { void navigate(`/tasks/${notice.taskId}`); }, [navigate]);
  useBrowserNotifications(open);
  return shown.length > 0 && <Suspense><Toasts notices={shown} /></Suspense>;
}

/** To the form for a new task, wherever one is. */
function useBeginTask(field: RefObject<HTMLTextAreaElement | null>): () => void {
  const navigate = useNavigate();
  const { key } = useLocation();
  const isWanted = useRef(false);
  useEffect(() => {
    if (isWanted.current) field.current?.focus();
    isWanted.current = false;
  }, [field, key]);
  return () => {
    if (field.current) return field.current.focus();
    isWanted.current = true;
    void navigate("/");
  };
}

export function App(): ReactNode {
  const navigate = useNavigate();
  const search = useRef<HTMLInputElement>(null);
  const newTask = useRef<HTMLTextAreaElement>(null);
  const beginTask = useBeginTask(newTask);
  const [isHelp, setHelp] = useState(false);
  const { isOffline } = useOfflineDetection();
  const { pathname } = useLocation();
  useShortcuts({
    "n": beginTask,
    "/": () => search.current?.focus(),
    "g d": () => { void navigate("/"); },
    "?": () => setHelp(true),
  });
  return (
    <Announcer>
      <TopBar search={search} onHelp={() => setHelp(true)} />
      <OfflineBanner />
      <div className="content" data-stale={isOffline || undefined}>
        <Broken place={pathname}>
          <Suspense>
            <Routes>
              <Route path="/" element={<TaskDashboard newTask={newTask} />} />
              <Route path="/tasks/:taskId" element={<TaskDetail />} />
              <Route path="/admin" element={<AdminPage />} />
              <Route path="*" element={<NotFound />} />
            </Routes>
          </Suspense>
        </Broken>
      </div>
      <News />
      {isHelp && <Suspense><Help isOpen onOpenChange={setHelp} /></Suspense>}
    </Announcer>
  );
}
