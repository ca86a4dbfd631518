// useOfflineDetection.ts - is what the page shows older than it should be, and since when? By
// what the browser says of the network and by what the connection knows; a blink is not told.
import { useEffect, useState, useSyncExternalStore } from "react";
import { useServices } from "../context/WebSocketContext";
import { isStale } from "../live/connection";
import type { Board } from "../model/board";
import { keys } from "../store/keys";
import { useStore } from "./useStore";

const BLINK_MS = 1500;

function subscribe(listener: () => void): () => void {
  window.addEventListener("online", listener);
  window.addEventListener("offline", listener);
  return () => {
    window.removeEventListener("online", listener);
    window.removeEventListener("offline", listener);
  };
}

export interface Offline {
  isOffline: boolean;
  /** When what is shown was last known to be true. */
  since: number | null;
}

export function useOfflineDetection(): Offline {
  const { live, client } = useServices();
  const connection = useStore(live.connection);
  const hasNetwork = useSyncExternalStore(subscribe, () => navigator.onLine);
  const isDown = isStale(connection);
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    if (!isDown) {
      setIsLong(false);
      return undefined;
    }
    const timer = setTimeout(() => setIsLong(true), BLINK_MS);
    return () => clearTimeout(timer);
  }, [isDown]);
  const isOffline = isDown && (isLong || !hasNetwork);
  // Never live yet since this page was opened: what it shows was kept from before.
  const since = connection.lostAt ?? (client.getQueryData<Board>(keys.board)?.asOf || null);
  return { isOffline, since: isOffline ? since : null };
}
