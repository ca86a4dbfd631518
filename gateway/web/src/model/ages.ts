// ages.ts - times as people say them, and when the saying changes, so that nothing redraws in
// between.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS: readonly [number, Intl.RelativeTimeFormatUnit][] = [
  [365 * DAY, "year"], [30 * DAY, "month"], [DAY, "day"], [HOUR, "hour"], [MINUTE, "minute"], [SECOND, "second"],
];
const SHORT: Record<string, string> = { year: "y", month: "mo", day: "d", hour: "h", minute: "min", second: "s" };
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });

function stepOf(age: number): readonly [number, Intl.RelativeTimeFormatUnit] {
  return STEPS.find(([length]) => age >= length) ?? [SECOND, "second"];
}

/** "3 minutes ago"; what lies in the future by a clock's fault is "just now". */
export function ago(then: number, now: number): string {
  const age = now - then;
  if (!Number.isFinite(age)) return "";
  if (age < SECOND) return "just now";
  const [length, unit] = stepOf(age);
  return relative.format(-Math.floor(age / length), unit);
}

/** "3 min": how long something has been so. */
export function lasting(then: number, now: number): string {
  const age = Math.max(0, now - then);
  if (!Number.isFinite(age)) return "";
  const [length, unit] = stepOf(age);
  return `${Math.floor(age / length)} ${SHORT[unit]}`;
}

/** In how many milliseconds either text becomes another one. */
export function changesIn(then: number, now: number): number {
  const age = now - then;
  if (!Number.isFinite(age)) return DAY;
  if (age < 0) return Math.min(-age + SECOND, DAY);
  const [length] = stepOf(age);
  return Math.min(length - (age % length), HOUR);
}

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** For who hovers: the whole date with its time zone. */
export function exactly(then: number): string {
  return Number.isFinite(then) ? exactFormat.format(then) : "";
}

const momentFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** The time of day; of another day, with its date. */
export function moment(then: number, now: number): string {
  const isToday = new Date(then).toDateString() === new Date(now).toDateString();
  return isToday ? clockTime(then) : momentFormat.format(then);
}

export function clockTime(then: number): string {
  return clockFormat.format(then);
}
