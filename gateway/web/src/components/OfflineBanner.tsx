// OfflineBanner.tsx - says that what is shown is old, since when, and what waits to go out. It
// lies over the page's edge: nothing moves when it comes and goes.
import { CloudOff } from "lucide-react";
import type { ReactNode } from "react";
import { useServices } from "../context/WebSocketContext";
import { useOfflineDetection } from "../hooks/useOfflineDetection";
import { useStore } from "../hooks/useStore";
import { clockTime } from "../model/ages";

export function OfflineBanner(): ReactNode {
  const { isOffline, since } = useOfflineDetection();
  const { letters } = useStore(useServices().outbox.state);
  if (!isOffline) return null;
  const waiting = letters.filter((l) => l.refusal === null).length;
  return (
    <div className="offline-banner" role="status">
      <CloudOff aria-hidden size={16} />
      <strong>You're offline. Reconnecting…</strong>
      {since !== null && <span>Shown as of {clockTime(since)}.</span>}
      {waiting > 0 && <span>{waiting === 1 ? "1 form waits" : `${waiting} forms wait`} to be sent.</span>}
    </div>
  );
}
