// OfflineBanner.tsx - says that what is shown is old, since when, and what waits to go out. It
// lies over the page's edge: nothing moves when it comes and goes.
import { CloudOff } from "lucide-react";
import type { ReactNode } from "react";
import { useServices } from "../context/WebSocketContext";
import { useOfflineDetection } from "../hooks/useOfflineDetection";
import { useStore } from "../hooks/useStore";
import { moment } from "../model/ages";

export function OfflineBanner(): ReactNode {
  const { isOffline, since } = useOfflineDetection();
  const { letters } = useStore(useServices().outbox.state);
  const { isCrowded } = useStore(useServices().live.connection);
  if (!isOffline) return null;
  const waiting = letters.filter((l) => l.refusal === null).length;
  return (
    <div className="offline-banner" role="status">
      <CloudOff aria-hidden size={16} />
      {isCrowded
        ? <strong>Too many of your pages are open. Close one, and this one goes live.</strong>
        : <strong>You're offline. Reconnecting…</strong>}
      {since !== null && <span>Shown as of {moment(since, Date.now())}.</span>}
      {waiting > 0 && <span>{waiting === 1 ? "1 form waits" : `${waiting} forms wait`} to be sent.</span>}
    </div>
  );
}
