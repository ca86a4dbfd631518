// setup.ts - before each file of tests: matchers, and what jsdom lacks.
import "@testing-library/jest-dom/vitest";
import { cleanup } from "@testing-library/react";
import "fake-indexeddb/auto";
import { afterEach } from "vitest";

afterEach(cleanup);

class NoResizes implements ResizeObserver {
  observe(): void { /* jsdom lays nothing out */ }
  unobserve(): void { /* so nothing resizes */ }
  disconnect(): void { /* and nothing ends */ }
}
window.ResizeObserver ??= NoResizes;
window.matchMedia ??= (query: string): MediaQueryList => {
  const none = new EventTarget();
  return Object.assign(none, {
    media: query, matches: false, onchange: null, addListener: () => undefined, removeListener: () => undefined,
  }) as MediaQueryList;
};
window.scrollTo = () => undefined;
Element.prototype.scrollTo = () => undefined;
