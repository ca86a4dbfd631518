// useSeen.ts - which events of a timeline came while the person was away: on another page, in
// another tab, or cut off.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Task } from "../model/wire";
import { keys } from "../store/keys";

type Seen = Record<string, number>;

function seenOf(client: QueryClient, taskId: string): number | null {
  return client.getQueryData<Seen>(keys.seen)?.[taskId] ?? null;
}

function note(client: QueryClient, task: Task): void {
  client.setQueryData<Seen>(keys.seen, (seen = {}) => {
    const { [task.taskId]: _, ...others } = seen;
    return { ...others, [task.taskId]: task.seq }; // the newest last: the oldest are let go first
  });
}

/** Events above `from` up to `to` came while the person was away; `to` null: all above. */
export interface Away {
  from: number;
  to: number | null;
}

const ARRIVING_MS = 2000; // what comes so soon after the return belongs to the absence

function awaySince(seq: number | null): Away | null {
  return seq === null ? null : { from: seq, to: null };
}

/** Null: the person sees this task for the first time. */
export function useSeen(taskId: string, task: Task | undefined, isStale: boolean): Away | null {
  const client = useQueryClient();
  const latest = useRef(task);
  const [away, setAway] = useState<Away | null>(() => awaySince(seenOf(client, taskId)));
  useEffect(() => { latest.current = task; }, [task]);

  useEffect(() => {
    setAway(awaySince(seenOf(client, taskId)));
    const leave = (): void => { if (latest.current?.taskId === taskId) note(client, latest.current); };
    const onVisibility = (): void => {
      if (document.hidden) leave();
      else setAway(awaySince(seenOf(client, taskId)));
    };
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      leave();
    };
  }, [client, taskId]);

  useEffect(() => {
    if (!isStale || !latest.current) return;
    note(client, latest.current);
    setAway(awaySince(latest.current.seq));
  }, [client, isStale]);

  const isBack = away !== null && away.to === null && !isStale && task !== undefined;
  useEffect(() => {
    if (!isBack) return undefined;
    const timer = setTimeout(() => {
      setAway((known) => known && { ...known, to: latest.current?.seq ?? known.from });
    }, ARRIVING_MS);
    return () => clearTimeout(timer);
  }, [isBack]);
  return away;
}
