// Presence.tsx - who else looks at this task just now: the first names, and how many more.
import type { ReactNode } from "react";
import type { TaskPresencePayload } from "../model/wire";

const SHOWN = 5;

function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map((w) => [...w][0] ?? "").join("").toUpperCase() || "?";
}

/** The same person gets the same tint on every screen. */
function tintOf(userId: string): number {
  let sum = 0;
  for (const c of userId) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) % 6;
  return sum;
}

export function Avatar({ userId, name }: { userId: string; name: string }): ReactNode {
  return <span className="avatar" data-tint={tintOf(userId)} aria-hidden title={name}>{initials(name || userId)}</span>;
}

export function Presence({ presence, me }: { presence: TaskPresencePayload | undefined; me: string }): ReactNode {
  if (!presence) return null;
  const isMeHere = presence.viewers.some((v) => v.userId === me);
  const others = presence.viewers.filter((v) => v.userId !== me);
  const count = Math.max(others.length, presence.count - (isMeHere ? 1 : 0));
  if (count <= 0) return null;
  const shown = others.slice(0, SHOWN);
  const names = shown.map((v) => v.name || v.userId);
  const more = count - shown.length;
  return (
    <div className="presence" data-count={count}>
      {shown.map((v) => <Avatar key={v.userId} userId={v.userId} name={v.name} />)}
      <span>{names.join(", ")}{more > 0 ? ` and ${more} more` : ""} {count === 1 ? "is" : "are"} here, too</span>
    </div>
  );
}
