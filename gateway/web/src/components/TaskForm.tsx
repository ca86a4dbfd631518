// TaskForm.tsx - describes a new task. What is sent is written down first (store/Outbox.ts), so
// the form is free again at once, with a network or without.
import { useId, useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { useServices } from "../context/WebSocketContext";
import { useFocusWithin } from "../hooks/useFocusWithin";
import { useStore } from "../hooks/useStore";
import { isRepo, titleOf, type Letter } from "../model/letters";

const DESCRIPTION_MAX = 10_000;

interface Draft {
  description: string;
  repo: string;
  isPrivate: boolean;
}

const EMPTY: Draft = { description: "", repo: "", isPrivate: false };

function problemOf(draft: Draft): string | null {
  if (draft.description.trim() === "") return "Say in a few words what should change.";
  if ([...draft.description].length > DESCRIPTION_MAX) return `A description has at most ${DESCRIPTION_MAX} characters.`;
  if (draft.repo.trim() !== "" && !isRepo(draft.repo.trim())) return "A repository is written owner/name.";
  return null;
}

/** What the server would not take: back into the form, or away. */
function Refused({ letter, onTakeBack }: { letter: Letter; onTakeBack: (letter: Letter) => void }): ReactNode {
  const { outbox } = useServices();
  return (
    <p className="problem" role="alert">
      “{letter.content.title}” was not created: {letter.refusal}{" "}
      <button type="button" className="quiet small" onClick={() => onTakeBack(letter)}>Change it</button>
      <button type="button" className="quiet small" onClick={() => { void outbox.discard(letter.key); }}>Discard</button>
    </p>
  );
}

export function TaskForm({ field }: { field: RefObject<HTMLTextAreaElement | null> }): ReactNode {
  const { outbox } = useServices();
  const { letters } = useStore(outbox.state);
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [problem, setProblem] = useState<string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const ids = { description: useId(), repo: useId(), problem: useId() };
  const isIn = useFocusWithin(form);
  const isOpen = isIn || draft.description !== "" || draft.repo !== "";
  const refused = letters.filter((l) => l.content.kind === "create" && l.refusal !== null);

  const change = (some: Partial<Draft>): void => {
    setDraft((known) => ({ ...known, ...some }));
    setProblem(null);
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wrong = problemOf(draft);
    setProblem(wrong);
    if (wrong) {
      field.current?.focus();
      return;
    }
    const repo = draft.repo.trim();
    const body = { description: draft.description, isPrivate: draft.isPrivate, ...(repo ? { repo } : {}) };
    setDraft(EMPTY);
    try {
      await outbox.post({ kind: "create", title: titleOf(draft.description), body });
    } catch {
      setDraft(draft);
      setProblem("The browser could not keep this form. Try again.");
    }
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit();
    else if (event.key === "Escape") field.current?.blur();
  };
  const takeBack = (letter: Letter): void => {
    if (letter.content.kind !== "create") return;
    const { description, repo = "", isPrivate } = letter.content.body;
    setDraft({ description, repo, isPrivate });
    void outbox.discard(letter.key);
    field.current?.focus();
  };

  return (
    <form ref={form} className="task-form" data-open={isOpen || undefined} onSubmit={(e) => { void submit(e); }} aria-label="New task">
      <label className="unseen" htmlFor={ids.description}>Describe a task</label>
      <textarea ref={field} id={ids.description} rows={1} value={draft.description} onKeyDown={onKey}
        placeholder="Describe a task…" aria-describedby={problem ? ids.problem : undefined}
        aria-invalid={problem !== null || undefined} onChange={(e) => change({ description: e.target.value })} />
      <div className="task-form-more">
        <label htmlFor={ids.repo}>Repository</label>
        <input id={ids.repo} type="text" className="mono" value={draft.repo} placeholder="owner/name (optional)" spellCheck={false}
          autoCapitalize="off" onChange={(e) => change({ repo: e.target.value })} />
        <label className="check">
          <input type="checkbox" checked={draft.isPrivate} onChange={(e) => change({ isPrivate: e.target.checked })} />
          Only for me
        </label>
        <span className="hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
      </div>
      <button type="submit" className="primary">Create task</button>
      {problem && <p className="problem" id={ids.problem} role="alert">{problem}</p>}
      {refused.map((letter) => <Refused key={letter.key} letter={letter} onTakeBack={takeBack} />)}
    </form>
  );
}
