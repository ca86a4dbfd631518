// ClarificationForm.tsx - the analyser's questions and a person's answers, in place. Answers are
// written down before they are sent (store/Outbox.ts): offline, they wait and say so.
import { CircleAlert, LoaderCircle } from "lucide-react";
import { useEffect, useId, useState, type FormEvent, type ReactNode } from "react";
import { useServices } from "../context/WebSocketContext";
import { useNotifications } from "../hooks/useNotifications";
import { useStore } from "../hooks/useStore";
import { clockTime } from "../model/ages";
import type { Letter } from "../model/letters";
import { isReanalyzing } from "../model/timeline";
import type { Task } from "../model/wire";

const ANSWER_MAX = 4000;

export function Reanalyzing(): ReactNode {
  return (
    <div className="card-box reanalyzing" role="status">
      <LoaderCircle aria-hidden size={16} className="spin" /> Re-analyzing…
    </div>
  );
}

/** The letter with this round's answers, if there is one. */
function useLetter(taskId: string): { letter: Letter | undefined; isWaiting: boolean; isTaken: boolean; takenSeq: number } {
  const { outbox } = useServices();
  const { letters, receipts, isWaiting } = useStore(outbox.state);
  const isOurs = (l: Letter): boolean => l.content.kind === "clarify" && l.content.taskId === taskId;
  const receipt = receipts.findLast((r) => isOurs(r.letter));
  return { letter: letters.find(isOurs), isWaiting, isTaken: receipt !== undefined, takenSeq: receipt?.seq ?? 0 };
}

function answersIn(letter: Letter | undefined, count: number): string[] {
  const answers = letter?.content.kind === "clarify" ? letter.content.body.answers : [];
  return Array.from({ length: count }, (_, i) => answers[i] ?? "");
}

function Questions({ task, questions }: { task: Task; questions: readonly string[] }): ReactNode {
  const { outbox, person } = useServices();
  const { unread, markRead } = useNotifications();
  const { letter, isWaiting } = useLetter(task.taskId);
  const [answers, setAnswers] = useState(() => answersIn(letter, questions.length));
  const [problem, setProblem] = useState<string | null>(letter?.refusal ?? null);
  const id = useId();
  const isSending = letter !== undefined && letter.refusal === null;

  // A refusal gives the form back, with what was written in it.
  useEffect(() => {
    if (letter?.refusal) {
      setProblem(letter.refusal);
      void outbox.discard(letter.key);
    }
  }, [letter, outbox]);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const missing = answers.findIndex((a) => a.trim() === "");
    if (missing >= 0) {
      setProblem("Every question needs an answer.");
      document.getElementById(`${id}-${missing}`)?.focus();
      return;
    }
    setProblem(null);
    await outbox.post({ kind: "clarify", taskId: task.taskId, title: task.title, body: { answers } });
    markRead(unread.filter((n) => n.kind === "needs_answer" && n.taskId === task.taskId).map((n) => n.id));
  };

  return (
    <form className="card-box questions" onSubmit={(e) => { void submit(e); }} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}><CircleAlert aria-hidden size={16} /> {task.createdBy === person.sub ? "Your answer is needed" : "An answer is needed"}</h2>
      <fieldset disabled={isSending}>
        {questions.map((question, i) => (
          <div className="question" key={i}>
            <label htmlFor={`${id}-${i}`}>{question}</label>
            <textarea id={`${id}-${i}`} rows={2} maxLength={ANSWER_MAX} value={answers[i] ?? ""} aria-describedby={problem ? `${id}-problem` : undefined}
              onChange={(e) => setAnswers((known) => known.map((a, n) => (n === i ? e.target.value : a)))} />
          </div>
        ))}
        <div className="form-foot">
          <button type="submit" className="primary" disabled={isSending}>
            {isSending && !isWaiting && <LoaderCircle aria-hidden size={14} className="spin" />}
            {isSending ? (isWaiting ? "Waiting to be sent" : "Sending…") : questions.length === 1 ? "Send answer" : "Send answers"}
          </button>
          {isSending && isWaiting && letter && (
            <span className="hint" role="status">Written at {clockTime(letter.writtenAt)}; it goes out by itself when there is a network.</span>
          )}
        </div>
      </fieldset>
      {problem && <p className="problem" role="alert" id={`${id}-problem`}>{problem}</p>}
    </form>
  );
}

export function ClarificationForm({ task }: { task: Task }): ReactNode {
  const { isTaken, takenSeq } = useLetter(task.taskId);
  if (isReanalyzing(task)) return <Reanalyzing />;
  if (task.status !== "needs_clarification" || !task.questions?.length) return null;
  // The server has our answers; its word that the task moves is on its way.
  if (isTaken && takenSeq > task.seq) return <Reanalyzing />;
  return <Questions key={`${task.taskId} ${task.statusSince}`} task={task} questions={task.questions} />;
}
