// useOperations.ts - looks every other second, and keeps what it saw for the plots.
import { useCallback, useEffect, useState } from "react";
import { isPassing } from "../api/client";
import { useServices } from "../context/WebSocketContext";
import { usePolling } from "../hooks/usePolling";
import { NO_HISTORY, takeLook, type ClusterHealth, type DeadLetter, type History, type TaskdStatus } from "./model";

const LOOK_MS = 2000;                          // as often as gateways say how they are
const LETTERS = 50;

export interface Operations {
  health: ClusterHealth | null;
  status: TaskdStatus | null;
  letters: readonly DeadLetter[] | null;
  history: History;
  /** Why nothing, or only a part, could be seen just now. */
  problem: string | null;
  /** Send a refused input in again; rejects with a sentence. */
  retry: (id: string) => Promise<void>;
}

type Seen = Omit<Operations, "retry">;

const NOTHING: Seen = { health: null, status: null, letters: null, history: NO_HISTORY, problem: null };

export function useOperations(isAllowed: boolean): Operations {
  const { api } = useServices();
  const [seen, setSeen] = useState<Seen>(NOTHING);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => { setOpen(isAllowed); }, [isAllowed]);

  const look = useCallback(async (): Promise<void> => {
    let problem: string | null = null;
    const ask = async <T>(path: string): Promise<T | null> => {
      try {
        return (await api.ask<T>("GET", path)).body;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
        return null;
      }
    };
    const [health, status, page] = await Promise.all([
      ask<ClusterHealth>("/api/health?cluster=1"),
      ask<TaskdStatus>("/api/admin/status"),
      ask<{ deadLetters: DeadLetter[] }>(`/api/admin/dead-letters?limit=${LETTERS}`),
    ]);
    setSeen((known) => ({
      health: health ?? known.health, status: status ?? known.status, letters: page?.deadLetters ?? known.letters, problem,
      history: takeLook(known.history, { at: Date.now(), health, status }),
    }));
  }, [api]);
  usePolling(isOpen, LOOK_MS, look);

  const retry = useCallback(async (id: string): Promise<void> => {
    const key = crypto.randomUUID();
    const send = (): Promise<unknown> => api.ask("POST", `/api/admin/dead-letters/${id}/retry`, { headers: { "Idempotency-Key": key } });
    await send().catch((error: unknown) => {
      if (isPassing(error)) return send();     // the same key: it goes in once
      throw error;
    });
    setSeen((known) => ({ ...known, letters: known.letters?.filter((l) => l.id !== id) ?? null }));
    await look();
  }, [api, look]);

  return { ...seen, retry };
}
