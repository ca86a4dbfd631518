// useDashboardSubscription.ts - the dashboard as these filters show it, kept true by its room.
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import { useServices } from "../context/WebSocketContext";
import { DASHBOARD } from "../live/LiveClient";
import type { Loading } from "../live/questions";
import { EMPTY_BOARD, totals, type Board } from "../model/board";
import type { Filters } from "../model/filters";
import { listsOf, type Lists } from "../model/lists";
import type { Row, Section } from "../model/wire";
import { keys } from "../store/keys";
import { useFallback } from "./useFallback";
import { usePolling } from "./usePolling";
import { useStore } from "./useStore";

export interface DashboardView {
  rows: ReadonlyMap<string, Row>;
  lists: Lists;
  totals: { active: number; completed: number; failed: number } | null;
  /** Nothing is known yet, not even from an earlier visit. */
  isUnknown: boolean;
  loading: Loading;
  /** Tasks that came while the page was open, and when. */
  arrivals: ReadonlyMap<string, number>;
  asOf: number;
  more: (section: Section) => void;
  /** Ask again for a list that was refused (`loading.problem`, and not `loading.isTryingAgain`). */
  again: () => void;
}

export function useDashboardSubscription(filters: Filters): DashboardView {
  const { board: feed, person } = useServices();
  const { data: board = EMPTY_BOARD } = useQuery<Board>({ queryKey: keys.board, enabled: false, queryFn: () => EMPTY_BOARD });
  const loading = useStore(feed.questions.state);
  const hasData = board.base !== null;
  const fallback = useFallback(DASHBOARD, hasData);

  useEffect(() => feed.follow(), [feed]);
  useEffect(() => feed.want(filters), [feed, filters, hasData]);
  usePolling(fallback.isOn, fallback.everyMs, () => feed.poll());

  const lists = useMemo(() => listsOf(board, filters, person.sub), [board, filters, person.sub]);
  const more = useCallback((section: Section) => { void feed.more(filters, section); }, [feed, filters]);
  const again = useCallback(() => { feed.again(); }, [feed]);
  return {
    rows: board.rows, lists, totals: totals(board), isUnknown: !hasData, loading, arrivals: feed.arrivals, asOf: board.asOf, more, again,
  };
}
