// NotFound.tsx - what is not there, or not for this person, and the way back.
import type { ReactNode } from "react";
import { Link } from "react-router";
import { usePageTitle } from "../hooks/usePageTitle";

export function NotFound({ title = "There is nothing here", text = "The address leads nowhere." }: { title?: string; text?: string }): ReactNode {
  usePageTitle(title);
  return (
    <main className="page" id="main">
      <div className="empty">
        <h1>{title}</h1>
        <p>{text} <Link to="/">Go to all tasks</Link></p>
      </div>
    </main>
  );
}
