// useStore.ts - a Store's value, redrawn when it changes.
import { useSyncExternalStore } from "react";
import type { Readable } from "../live/store";

export function useStore<T>(store: Readable<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
