// clock.ts - what time it is for the server. Ages are counted from its times, so a computer
// whose clock is wrong by minutes would show "in 4 minutes" or "5 minutes ago" for what
// happens now. Answers carry a Date (whole seconds); what differs by more than two is
// taken for a wrong clock here.

const TOLERANCE_MS = 2000;
let offset = 0;

export function serverNow(): number {
  return Date.now() + offset;
}

/** A Date header that came just now. */
export function observeDate(header: string | null): void {
  const then = header === null ? NaN : Date.parse(header);
  if (Number.isNaN(then)) return;
  const difference = then + 500 - Date.now();
  offset = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
}
