// useTaskEdit.ts - change a task's words in place: shown at once, sent with If-Match, rolled back
// with a word where it is refused, and never over somebody else's change unseen.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { editTask, type Edit } from "../api/calls";
import { Refusal } from "../api/client";
import { useServices } from "../context/WebSocketContext";
import { newerTask } from "../model/task";
import type { Task } from "../model/wire";
import { keys } from "../store/keys";

export type EditOutcome = { kind: "saved" } | { kind: "conflict"; theirs: Task } | { kind: "refused"; message: string };

export interface TaskEdit {
  isSaving: boolean;
  /** `began`: the task as the person saw it when they began. */
  save: (began: Task, edit: Edit) => Promise<EditOutcome>;
}

export function useTaskEdit(taskId: string): TaskEdit {
  const { api } = useServices();
  const client = useQueryClient();
  const [isSaving, setSaving] = useState(false);
  const save = useCallback(async (began: Task, edit: Edit): Promise<EditOutcome> => {
    const key = keys.task(taskId);
    const put = (change: (task: Task) => Task): void => {
      client.setQueryData<Task>(key, (task) => task && change(task));
    };
    /** What was shown early goes again, but for what came from the server meanwhile. */
    const rollBack = (): void => put((task) => ({
      ...task,
      title: edit.title !== undefined && task.title === edit.title ? began.title : task.title,
      description: edit.description !== undefined && task.description === edit.description ? began.description : task.description,
      isPrivate: edit.isPrivate !== undefined && task.isPrivate === edit.isPrivate ? began.isPrivate : task.isPrivate,
    }));
    setSaving(true);
    put((task) => ({ ...task, ...edit }));
    try {
      const saved = await editTask(api, began, edit);
      put((task) => newerTask(task, saved));
      return { kind: "saved" };
    } catch (error) {
      rollBack();
      if (error instanceof Refusal && error.status === 409 && error.task) {
        const theirs = error.task;
        put((task) => newerTask(task, theirs));
        return { kind: "conflict", theirs };
      }
      return { kind: "refused", message: error instanceof Error ? error.message : String(error) };
    } finally {
      setSaving(false);
    }
  }, [api, client, taskId]);
  return { isSaving, save };
}
