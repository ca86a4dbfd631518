// useRowKeys.ts - j and k through the rows of all lists; Enter is the focused link's own.
import { useCallback, useRef, useState } from "react";
import type { ListHandle } from "../components/TaskList";
import type { Section } from "../model/wire";
import { useShortcuts } from "./useShortcuts";

export interface RowKeys {
  selected: string | null;
  handleFor: (section: Section) => (handle: ListHandle | null) => void;
}

/** Which row has the focus by whatever way it came there. */
function focusedId(): string | null {
  return document.activeElement?.closest<HTMLElement>("[data-task]")?.dataset["task"] ?? null;
}

export function useRowKeys(sections: readonly Section[], ids: readonly (readonly string[])[]): RowKeys {
  const [selected, setSelected] = useState<string | null>(null);
  const handles = useRef(new Map<Section, ListHandle>());
  const move = (by: number): void => {
    const all = ids.flatMap((list, i) => list.map((id, index) => ({ id, index, section: sections[i] })));
    const at = all.findIndex(({ id }) => id === (focusedId() ?? selected));
    const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
    if (!next?.section) return;
    handles.current.get(next.section)?.show(next.index);
    // Drawn first, where it was out of sight: then it can take the focus.
    setSelected(null);
    requestAnimationFrame(() => setSelected(next.id));
  };
  useShortcuts({ j: () => move(1), k: () => move(-1) });
  const handleFor = useCallback((section: Section) => (handle: ListHandle | null) => {
    if (handle) handles.current.set(section, handle);
    else handles.current.delete(section);
  }, []);
  return { selected, handleFor };
}
