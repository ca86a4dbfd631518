// ConnectionStatus.tsx - the truth about the connection, in a word: live, reconnecting in 3 s,
// catching up, offline.
import type { ReactNode } from "react";
import { REFRESH_MS } from "../hooks/useFallback";
import { useNow } from "../hooks/useNow";
import { useWebSocket } from "../hooks/useWebSocket";
import { wordsFor } from "../live/connection";

export function ConnectionStatus(): ReactNode {
  const { connection, retryNow } = useWebSocket();
  const isWaiting = connection.phase === "waiting";
  const now = useNow(isWaiting ? 250 : null);
  const words = wordsFor(connection, isWaiting ? now : Date.now(), REFRESH_MS);
  // The seconds count down for eyes only: a screen reader hears the phase when it changes.
  const spoken = !isWaiting ? words : connection.isCrowded ? "too many pages open" : "reconnecting";
  return (
    <span className="connection" data-phase={connection.phase}>
      <span className="connection-dot" aria-hidden />
      <span aria-hidden className="connection-words">{words}</span>
      <span role="status" className="unseen">{spoken}</span>
      {isWaiting && <button type="button" className="quiet small" onClick={retryNow}>Now</button>}
    </span>
  );
}
