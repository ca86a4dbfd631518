// letters.ts - a form that a person has sent and the server may not have: what it is, and what
// becomes of it. Pure; store/Outbox.ts carries them.

export type Content =
  | { kind: "create"; title: string; body: { description: string; isPrivate: boolean; repo?: string } }
  | { kind: "clarify"; taskId: string; title: string; body: { answers: string[] } };

export interface Letter {
  /** Its Idempotency-Key: however often it is sent, it counts once. */
  key: string;
  owner: string;
  content: Content;
  writtenAt: number;
  attempts: number;
  /** Refused for good, with this sentence; the person decides what becomes of it. */
  refusal: string | null;
}

/** A letter that the server has taken. */
export interface Receipt {
  letter: Letter;
  taskId: string;
  seq: number;
  sentAt: number;
}

export function pathOf(content: Content): string {
  return content.kind === "create" ? "/api/tasks" : `/api/tasks/${content.taskId}/clarify`;
}

/** The title that the server will give a task that has none: its first line that says something. */
export function titleOf(description: string): string {
  const line = description.split("\n").map((l) => l.replace(/^[ \t\r]+|[ \t\r]+$/g, "")).find(Boolean) ?? "Untitled";
  return [...line].slice(0, 200).join("");
}

const REPO = /^(?!\.{1,2}\/)[A-Za-z0-9._-]{1,39}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/;

/** What the server takes for a repository (proto/url.c, url_is_repo): owner/name. */
export function isRepo(text: string): boolean {
  return REPO.test(text);
}

export function inOrder(letters: readonly Letter[]): Letter[] {
  return [...letters].sort((a, b) => a.writtenAt - b.writtenAt || (a.key < b.key ? -1 : 1));
}

export function toSend(letters: readonly Letter[]): Letter[] {
  return inOrder(letters).filter((l) => l.refusal === null);
}
