// backoff.ts - how long to wait before the next attempt: never giving up, never hammering.
//
// The wait doubles up to half a minute, and half of it is drawn at random, so that a thousand
// pages which lost the same gateway do not come back in the same moment.

const FIRST_MS = 600;
const MOST_MS = 30_000;

export function waitBefore(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(whole / 2 + (whole / 2) * random());
}
