// DeadLetters.tsx - inputs that were refused, the newest first, each with its reason and a way
// to send it in again.
import { RotateCcw } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Link } from "react-router";
import { Age } from "../components/Age";
import { readLetter, type DeadLetter } from "./model";

interface Props {
  letters: readonly DeadLetter[] | null;
  count: number | null;
  retry: (id: string) => Promise<void>;
}

function Letter({ letter, onRetry }: { letter: DeadLetter; onRetry: () => Promise<void> }): ReactNode {
  const { input, taskId, source, at } = readLetter(letter);
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const send = async (): Promise<void> => {
    setSending(true);
    setProblem(null);
    try {
      await onRetry();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setSending(false);
    }
  };
  return (
    <li className="letter">
      <div className="letter-what">
        <strong className="mono">{input}</strong>
        {taskId && <Link to={`/tasks/${taskId}`} className="mono">{taskId}</Link>}
        <span className="hint">{source}{Number.isFinite(at) && <> · <Age at={new Date(at).toISOString()} /></>}</span>
      </div>
      <p className="letter-why">{letter.reason ?? letter.code ?? "No reason was kept."}</p>
      {letter.event && <details><summary>As it came</summary><pre>{letter.event}</pre></details>}
      {problem && <p className="problem" role="alert">It was not sent in: {problem}.</p>}
      <button type="button" className="small" disabled={isSending} onClick={() => { void send(); }} aria-label={`Retry ${input}`}>
        <RotateCcw aria-hidden size={14} /> {isSending ? "Sending…" : "Retry"}
      </button>
    </li>
  );
}

export function DeadLetters({ letters, count, retry }: Props): ReactNode {
  const [said, setSaid] = useState("");
  if (!letters) return null;
  const again = async (letter: DeadLetter): Promise<void> => {
    await retry(letter.id);
    setSaid(`${readLetter(letter).input} was sent in again.`);
  };
  return (
    <section aria-labelledby="dead-letters">
      <h2 id="dead-letters">Dead letters</h2>
      <p className="hint" role="status">{said}</p>
      {letters.length === 0 && <p className="empty">None. What cannot be done, and why, would be here.</p>}
      <ul aria-label="Dead letters">
        {letters.map((letter) => <Letter key={letter.id} letter={letter} onRetry={() => again(letter)} />)}
      </ul>
      {count !== null && count > letters.length && <p className="hint">The newest {letters.length} of {count}; taskctl dead list shows all.</p>}
    </section>
  );
}
