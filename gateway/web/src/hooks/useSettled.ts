// useSettled.ts - the lists as they may be shown now (model/lists.ts, settle), and what waits.
import { useMemo, useState } from "react";
import { NOTHING_SHOWN, settle, type Lists, type Settled, type Shown } from "../model/lists";

export interface SettledView extends Settled {
  /** Let in what waits. */
  release: () => void;
}

/** `question`: what was asked for; another question may always be answered. */
export function useSettled(lists: Lists, question: string, isHeld: boolean): SettledView {
  const [state, setState] = useState<{ question: string; shown: Shown; isFull: boolean }>(
    { question: "", shown: NOTHING_SHOWN, isFull: false });
  const isAnswer = state.question !== question || !state.isFull;
  const mayMove = !isHeld || isAnswer;
  const settled = useMemo(() => settle(state.shown, lists, !mayMove), [state.shown, lists, mayMove]);
  const isFull = Object.values(lists).every((list) => !list.isUnknown);
  if (settled.shown !== state.shown || state.question !== question || state.isFull !== isFull) {
    setState({ question, shown: settled.shown, isFull });
  }
  return {
    ...settled,
    release: () => setState({ question, isFull, shown: settle(settled.shown, lists, false).shown }),
  };
}
