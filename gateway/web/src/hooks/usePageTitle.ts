// usePageTitle.ts - what the window is called: the page says its name, the bell what is unread.
import { useEffect } from "react";
import { Store } from "../live/store";

export const pageTitle = new Store("Taskwire");

export function usePageTitle(title: string): void {
  useEffect(() => pageTitle.set(title === "" ? "Taskwire" : `${title} · Taskwire`), [title]);
}
