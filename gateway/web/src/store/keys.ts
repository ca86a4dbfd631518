// keys.ts - what the query cache holds, by name. It is one person's: a new one begins empty.

export const keys = {
  features: ["features"] as const,
  board: ["board"] as const,
  tasks: ["task"] as const,
  task: (taskId: string) => ["task", taskId] as const,
  presence: (taskId: string) => ["presence", taskId] as const,
  notices: ["notices"] as const,
  /** By task, the seq that the person has seen. */
  seen: ["seen"] as const,
};
