// PendingCard.tsx - a task that this person has just written down: shown before the server has
// it, saying truly where it is.
import { CloudUpload, Inbox } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { clockTime } from "../model/ages";
import type { Letter, Receipt } from "../model/letters";

function words(letter: Letter, isWaiting: boolean): string {
  return isWaiting ? `written at ${clockTime(letter.writtenAt)}, goes out when there is a network` : "sending…";
}

export function PendingCard({ letter, isWaiting }: { letter: Letter; isWaiting: boolean }): ReactNode {
  const Icon = isWaiting ? CloudUpload : Inbox;
  return (
    <article className="card card-pending" data-letter={letter.key}>
      <span className="badge" data-status="received"><Icon aria-hidden size={14} /><span>{isWaiting ? "Waiting" : "Sending"}</span></span>
      <div className="card-what">
        <span className="card-title">{letter.content.title}</span>
        <div className="card-by">{words(letter, isWaiting)}</div>
      </div>
    </article>
  );
}

/** Taken by the server, not told by it yet. */
export function SentCard({ receipt }: { receipt: Receipt }): ReactNode {
  return (
    <article className="card card-pending">
      <span className="badge" data-status="received"><Inbox aria-hidden size={14} /><span>Received</span></span>
      <div className="card-what">
        <Link className="card-title" to={`/tasks/${receipt.taskId}`}>{receipt.letter.content.title}</Link>
        <div className="card-by">sent at {clockTime(receipt.sentAt)}</div>
      </div>
    </article>
  );
}
