// TaskList.tsx - one list of the dashboard, drawn only where it can be seen: ten thousand rows
// cost as much as thirty.
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type ReactNode, type Ref } from "react";
import { useMediaQuery } from "../hooks/useMediaQuery";
import type { Row } from "../model/wire";
import { GoneCard, TaskCard } from "./TaskCard";

const ROW_PX = 56;
const ROW_PHONE_PX = 92;
const NEW_MS = 3000;
const AHEAD_ROWS = 60;                          // read before the reader is there

export interface ListHandle {
  show: (index: number) => void;
}

interface Props {
  label: string;
  ids: readonly string[];
  rows: ReadonlyMap<string, Row>;
  arrivals: ReadonlyMap<string, number>;
  me: string;
  selected: string | null;
  handle: Ref<ListHandle>;
  /** The end has come near. */
  onEnd: (() => void) | null;
}

/** Where the list begins on the page; what stands above it changes its height now and then. */
function useTop(list: React.RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = (): void => {
      const box = list.current?.getBoundingClientRect();
      if (box) setTop(Math.round(box.top + window.scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [list]);
  return top;
}

export function TaskList({ label, ids, rows, arrivals, me, selected, handle, onEnd }: Props): ReactNode {
  const list = useRef<HTMLUListElement>(null);
  const top = useTop(list);
  const height = useMediaQuery("(max-width: 640px)") ? ROW_PHONE_PX : ROW_PX;
  // The same functions as long as they say the same: else all rows are measured again each time.
  const estimateSize = useCallback(() => height, [height]);
  const getItemKey = useCallback((index: number) => ids[index] ?? index, [ids]);
  const virtualizer = useWindowVirtualizer({ count: ids.length, estimateSize, getItemKey, overscan: 6, scrollMargin: top });
  useLayoutEffect(() => { virtualizer.measure(); }, [virtualizer, height]);
  useImperativeHandle(handle, () => ({
    show: (index) => virtualizer.scrollToIndex(index, { align: "auto" }),
  }), [virtualizer]);

  const items = virtualizer.getVirtualItems();
  const isNearEnd = (items.at(-1)?.index ?? 0) >= ids.length - AHEAD_ROWS;
  // Whenever it is drawn: asking while there is an answer under way is free (live/questions.ts),
  // and no answer, full, empty or late, leaves the list waiting for another one.
  useEffect(() => { if (isNearEnd) onEnd?.(); });

  const now = Date.now();
  return (
    <ul ref={list} className="rows" aria-label={label} style={{ height: virtualizer.getTotalSize() }}>
      {items.map(({ key, index, start }) => {
        const id = ids[index] ?? "";
        const row = rows.get(id);
        const arrived = arrivals.get(id);
        return (
          <li key={key} className="row" aria-setsize={ids.length} aria-posinset={index + 1}
            style={{ height, transform: `translateY(${start - top}px)` }}>
            {row
              ? <TaskCard row={row} isMine={row.createdBy === me} isSelected={selected === id}
                isNew={arrived !== undefined && now - arrived < NEW_MS} />
              : <GoneCard />}
          </li>
        );
      })}
    </ul>
  );
}
