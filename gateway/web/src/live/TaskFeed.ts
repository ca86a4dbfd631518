// TaskFeed.ts - keeps the query cache's tasks true by what their rooms say. It listens as long as
// the person is here, not only while a page shows the task: a room is left a moment after its
// page, and what it says until then belongs to what the next page finds.
import type { QueryClient } from "@tanstack/react-query";
import { takeTaskEvent, TASK_EVENTS, withEarlier, type Down, type TaskEventName } from "../model/task";
import type { ServerToClientEvents, Task, TaskPresencePayload } from "../model/wire";
import { keys } from "../store/keys";
import type { LiveClient } from "./LiveClient";

type Listener = ServerToClientEvents[TaskEventName];

export class TaskFeed {
  constructor(private readonly live: LiveClient, private readonly client: QueryClient) {}

  attach(): () => void {
    const { socket } = this.live;
    const listeners = TASK_EVENTS.map((name) => [name, this.listenTo(name)] as const);
    for (const [name, listener] of listeners) socket.on(name, listener as never);
    socket.on("task:state", this.onState);
    socket.on("task:presence", this.onPresence);
    socket.on("task:evicted", this.onEvicted);
    return () => {
      for (const [name, listener] of listeners) socket.off(name, listener as never);
      socket.off("task:state", this.onState);
      socket.off("task:presence", this.onPresence);
      socket.off("task:evicted", this.onEvicted);
    };
  }

  private listenTo<K extends TaskEventName>(name: K): Listener {
    return ((payload: Down[K]) => {
      this.client.setQueryData<Task>(keys.task(payload.taskId), (task) => task && takeTaskEvent(task, name, payload));
    }) as Listener;
  }

  private readonly onState = (task: Task): void => {
    this.client.setQueryData<Task>(keys.task(task.taskId), (known) => withEarlier(task, known));
  };

  private readonly onPresence = (presence: TaskPresencePayload): void => {
    this.client.setQueryData(keys.presence(presence.taskId), presence);
  };

  private readonly onEvicted = ({ taskId }: { taskId: string }): void => {
    this.client.removeQueries({ queryKey: keys.task(taskId) });
    this.client.removeQueries({ queryKey: keys.presence(taskId) });
  };
}
