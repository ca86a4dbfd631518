// useTaskSubscription.ts - one task, kept true by its room: the snapshot, then every event; who
// else looks at it; and whether it may be seen at all.
import { useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { fetchOlderEvents, fetchTask } from "../api/calls";
import { Refusal } from "../api/client";
import { useServices } from "../context/WebSocketContext";
import type { LiveClient } from "../live/LiveClient";
import { newerTask, takeTaskEvent, TASK_EVENTS, withEarlier, withOlderEvents, type Down, type TaskEventName } from "../model/task";
import type { ServerToClientEvents, Task, TaskPresencePayload } from "../model/wire";
import { keys } from "../store/keys";
import { useFallback } from "./useFallback";
import { usePolling } from "./usePolling";
import { useStore } from "./useStore";

type Listener = ServerToClientEvents[TaskEventName];

function listenTo<K extends TaskEventName>(name: K, taskId: string, client: QueryClient): Listener {
  return ((payload: Down[K]) => {
    if (payload.taskId !== taskId) return;
    client.setQueryData<Task>(keys.task(taskId), (task) => (task ? takeTaskEvent(task, name, payload) : task));
  }) as Listener;
}

/** Keeps the query cache's task true until the function given back is called. */
function follow(live: LiveClient, client: QueryClient, taskId: string, onEvicted: () => void): () => void {
  const { socket, rooms } = live;
  const listeners = TASK_EVENTS.map((name) => [name, listenTo(name, taskId, client)] as const);
  const onState = (task: Task): void => {
    if (task.taskId === taskId) client.setQueryData<Task>(keys.task(taskId), (known) => withEarlier(task, known));
  };
  const onPresence = (presence: TaskPresencePayload): void => {
    if (presence.taskId === taskId) client.setQueryData(keys.presence(taskId), presence);
  };
  const onGone = (gone: { taskId: string }): void => { if (gone.taskId === taskId) onEvicted(); };
  for (const [name, listener] of listeners) socket.on(name, listener as never);
  socket.on("task:state", onState);
  socket.on("task:presence", onPresence);
  socket.on("task:evicted", onGone);
  const leave = rooms.enter(taskId);
  return () => {
    for (const [name, listener] of listeners) socket.off(name, listener as never);
    socket.off("task:state", onState);
    socket.off("task:presence", onPresence);
    socket.off("task:evicted", onGone);
    leave();
    client.removeQueries({ queryKey: keys.presence(taskId) });
  };
}

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
    return follow(live, client, taskId, () => {
      client.removeQueries({ queryKey: keys.task(taskId) });
      setMissing("evicted");
    });
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
  const gone = missing ?? (isRefused && (room.code === "not_found" || room.code === "bad_task_id") ? "not_found" : null);
  return { task: gone ? undefined : task, presence, gone, problem: isRefused && !gone ? room.message : problem, older };
}
