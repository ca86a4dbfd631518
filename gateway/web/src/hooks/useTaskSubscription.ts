// useTaskSubscription.ts - one task, kept true by its room: the snapshot, then every event; who
// else looks at it; and whether it may be seen at all.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { fetchOlderEvents, fetchTask } from "../api/calls";
import { Refusal } from "../api/client";
import { useServices } from "../context/WebSocketContext";
import { newerTask, withOlderEvents } from "../model/task";
import type { Task, TaskPresencePayload } from "../model/wire";
import { keys } from "../store/keys";
import { useFallback } from "./useFallback";
import { usePolling } from "./usePolling";
import { useStore } from "./useStore";

export interface TaskView {
  task: Task | undefined;
  presence: TaskPresencePayload | undefined;
  /** It is not there, or not for this person (the two look the same), or not any more. */
  gone: "not_found" | "evicted" | null;
  /** Why it could not be read, for now. */
  problem: string | null;
  /** Read earlier events; gives back false where there are none. */
  older: () => Promise<boolean>;
}

export function useTaskSubscription(taskId: string): TaskView {
  const { live, api } = useServices();
  const client = useQueryClient();
  const room = useStore(live.rooms.state(taskId));
  const [problem, setProblem] = useState<string | null>(null);
  const [missing, setMissing] = useState<"not_found" | "evicted" | null>(null);
  const { data: task } = useQuery<Task>({ queryKey: keys.task(taskId), enabled: false });
  const { data: presence } = useQuery<TaskPresencePayload>({ queryKey: keys.presence(taskId), enabled: false });
  const fallback = useFallback(taskId, task !== undefined);

  useEffect(() => {
    setMissing(null);
    setProblem(null);
    const onEvicted = (evicted: { taskId: string }): void => { if (evicted.taskId === taskId) setMissing("evicted"); };
    live.socket.on("task:evicted", onEvicted);
    const leave = live.rooms.enter(taskId);
    return () => {
      live.socket.off("task:evicted", onEvicted);
      leave();
      client.removeQueries({ queryKey: keys.presence(taskId) });
    };
  }, [live, client, taskId]);

  usePolling(fallback.isOn, fallback.everyMs, async () => {
    try {
      const said = await fetchTask(api, taskId, client.getQueryData<Task>(keys.task(taskId)));
      client.setQueryData<Task>(keys.task(taskId), (known) => newerTask(known, said));
      setProblem(null);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) setMissing("not_found");
      else setProblem(error instanceof Error ? error.message : String(error));
    }
  });

  const older = useCallback(async (): Promise<boolean> => {
    const first = client.getQueryData<Task>(keys.task(taskId))?.events[0];
    if (!first || first.seq === 1) return false;
    const events = await fetchOlderEvents(api, taskId, first.seq);
    client.setQueryData<Task>(keys.task(taskId), (known) => known && withOlderEvents(known, events));
    return events.length > 0;
  }, [api, client, taskId]);

  const isRefused = room.kind === "refused" && room.code !== "feature_off";
  const isMissing = isRefused && (room.code === "not_found" || room.code === "bad_task_id");
  const gone = missing ?? (isMissing ? "not_found" : null);
  useEffect(() => { if (gone) client.removeQueries({ queryKey: keys.task(taskId) }); }, [client, gone, taskId]);
  return { task: gone ? undefined : task, presence, gone, problem: isRefused && !gone ? room.message : problem, older };
}
