// Age.tsx - a time that ages, redrawn when its text changes and not before; exact for who hovers.
import { useEffect, useState, type ReactNode } from "react";
import { ago, changesIn, exactly, lasting } from "../model/ages";
import { serverNow } from "../model/clock";

interface Props {
  at: string;
  /** "3 minutes ago", or for how long: "3 min". */
  form?: "ago" | "lasting";
}

const LONGEST_MS = 3_600_000;

export function Age({ at, form = "ago" }: Props): ReactNode {
  const then = Date.parse(at);
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const wait = Math.min(LONGEST_MS, Math.max(50, changesIn(then, serverNow()) + 10));
    const timer = setTimeout(() => setNow(serverNow()), wait);
    return () => clearTimeout(timer);
  }, [then, now]);
  const current = Math.max(now, then);
  return <time dateTime={at} title={exactly(then)}>{form === "ago" ? ago(then, current) : lasting(then, current)}</time>;
}
