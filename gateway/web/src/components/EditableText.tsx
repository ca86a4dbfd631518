// EditableText.tsx - a task's title or description, edited where it stands. When somebody else
// changes the same text meanwhile, both versions are shown and the person decides.
import { Pencil } from "lucide-react";
import { useEffect, useId, useRef, useState, type FormEvent, type KeyboardEvent, type ReactNode } from "react";
import { useTaskEdit } from "../hooks/useTaskEdit";
import type { Task } from "../model/wire";

type Field = "title" | "description";

interface Props {
  task: Task;
  field: Field;
  limit: number;
  children: ReactNode;
}

interface Editing {
  began: Task;
  text: string;
}

function Conflict({ name, theirs, onTake, onKeep }: { name: string; theirs: string; onTake: () => void; onKeep: () => void }): ReactNode {
  return (
    <div className="conflict" role="alert">
      <p>Somebody changed the {name} while you were editing it. It says now:</p>
      <blockquote>{theirs}</blockquote>
      <button type="button" className="small" onClick={onTake}>Take theirs</button>
      <button type="button" className="small" onClick={onKeep}>Keep mine</button>
    </div>
  );
}

export function EditableText({ task, field, limit, children }: Props): ReactNode {
  const { isSaving, save } = useTaskEdit(task.taskId);
  const [editing, setEditing] = useState<Editing | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const id = useId();
  const isConflict = editing !== null && !isSaving && task[field] !== editing.began[field];
  const isOpen = editing !== null;

  useEffect(() => {
    if (!isOpen) return;
    input.current?.focus();
    input.current?.select();
  }, [isOpen]);

  const close = (): void => {
    setEditing(null);
    setProblem(null);
    requestAnimationFrame(() => opener.current?.focus());
  };
  const submit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    if (!editing || isSaving || isConflict) return;
    const text = field === "title" ? editing.text.trim() : editing.text;
    if (text === editing.began[field]) return close();
    if (text.trim() === "") return setProblem(`A task needs a ${field}.`);
    setProblem(null);
    const outcome = await save(editing.began, { [field]: text });
    if (outcome.kind === "saved") close();
    else if (outcome.kind === "refused") setProblem(`It was not saved: ${outcome.message}.`);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (field === "title" || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void submit();
    }
  };

  if (!editing) {
    return (
      <div className="editable" data-field={field}>
        {children}
        <button ref={opener} type="button" className="quiet small icon-only" onClick={() => setEditing({ began: task, text: task[field] })}>
          <Pencil aria-hidden size={14} /><span className="unseen">Edit {field}</span>
        </button>
      </div>
    );
  }
  return (
    <form className="editing" data-field={field} onSubmit={(e) => { void submit(e); }}>
      <label className="unseen" htmlFor={id}>{field === "title" ? "Title" : "Description"}</label>
      <textarea ref={input} id={id} rows={field === "title" ? 1 : 5} maxLength={limit} value={editing.text} onKeyDown={onKey} disabled={isSaving}
        onChange={(e) => setEditing({ ...editing, text: e.target.value })} />
      {isConflict && (
        <Conflict name={field} theirs={task[field]} onTake={close} onKeep={() => setEditing({ ...editing, began: task })} />
      )}
      {problem && <p className="problem" role="alert">{problem}</p>}
      <div className="form-foot">
        <button type="submit" className="primary small" disabled={isSaving || isConflict}>{isSaving ? "Saving…" : "Save"}</button>
        <button type="button" className="quiet small" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}
