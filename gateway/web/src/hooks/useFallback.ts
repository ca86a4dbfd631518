// useFallback.ts - must a room's content be fetched, because it does not come live? Where live
// updates are off for this person or this room; where the connection stays away although there
// is a network; and for the first paint, where the connection takes long.
import { useEffect, useState } from "react";
import { useServices } from "../context/WebSocketContext";
import { useStore } from "./useStore";

export const REFRESH_MS = 5000;
const SLOW_REFRESH_MS = 15_000;
const FIRST_MS = 1200;
const AWAY_MS = 5000;

export interface Fallback {
  isOn: boolean;
  everyMs: number;
}

export function useFallback(roomName: string, hasData: boolean): Fallback {
  const { live } = useServices();
  const { phase } = useStore(live.connection);
  const room = useStore(live.rooms.state(roomName));
  const isSwitchedOff = phase === "fetching" || (room.kind === "refused" && room.code === "feature_off");
  const isAway = phase === "waiting" || phase === "connecting" || (phase === "catching_up" && room.kind !== "joined");
  const [isLate, setIsLate] = useState(false);
  useEffect(() => {
    setIsLate(false);
    if (!isAway) return undefined;
    const timer = setTimeout(() => setIsLate(true), hasData ? AWAY_MS : FIRST_MS);
    return () => clearTimeout(timer);
  }, [isAway, hasData]);
  return { isOn: isSwitchedOff || (isAway && isLate), everyMs: isSwitchedOff ? REFRESH_MS : SLOW_REFRESH_MS };
}
