// useWebSocket.ts - the connection: how it stands, and what a person can do about it.
import { useServices } from "../context/WebSocketContext";
import type { Connection } from "../live/connection";
import type { LiveSocket } from "../live/LiveClient";
import { useStore } from "./useStore";

export interface WebSocketView {
  socket: LiveSocket;
  connection: Connection;
  isLive: boolean;
  /** Do not wait for the next attempt. */
  retryNow: () => void;
  /** Ask for fresh snapshots of all that is followed. */
  resync: () => Promise<void>;
}

export function useWebSocket(): WebSocketView {
  const { live } = useServices();
  const connection = useStore(live.connection);
  return {
    socket: live.socket, connection, isLive: connection.phase === "live",
    retryNow: () => live.retryNow(), resync: () => live.resync(),
  };
}
