// SignIn.tsx - nobody is signed in. Demo people to choose from, where the gateway signs them in
// (DEV_LOGIN); else a word on who does.
import { useEffect, useState, type ReactNode } from "react";
import { useSession } from "../context/SessionContext";
import type { Person } from "../model/wire";
import { demoPeople } from "../session/tokens";
import { Avatar } from "./Presence";

type People = { kind: "asking" } | { kind: "none" } | { kind: "some"; people: readonly Person[] } | { kind: "away" };

export function SignIn({ isHosted }: { isHosted: boolean }): ReactNode {
  const { session, state } = useSession();
  const [people, setPeople] = useState<People>({ kind: "asking" });
  const [problem, setProblem] = useState<string | null>(null);
  const why = state.phase === "signed_out" ? state.why : null;

  useEffect(() => {
    document.title = "Sign in · Taskwire"; // there is no bell yet
    if (isHosted) return;
    demoPeople().then(
      (found) => setPeople(found ? { kind: "some", people: found } : { kind: "none" }),
      () => setPeople({ kind: "away" }),
    );
  }, [isHosted]);

  const signIn = (person: Person): void => {
    setProblem(null);
    session.signInAs(person).catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  return (
    <main className="sign-in" id="main">
      <h1>Taskwire</h1>
      {why && <p className="problem" role="alert">{why}</p>}
      {people.kind === "some" && (
        <>
          <p>Choose a demo person. Open a second browser to be two.</p>
          <ul>
            {people.people.map((person) => (
              <li key={person.sub}>
                <button type="button" onClick={() => signIn(person)}>
                  <Avatar userId={person.sub} name={person.name} />
                  <span>{person.name}</span>
                  <span className="hint">{person.org}{person.roles.includes("admin") ? ", operator" : ""}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {(people.kind === "none" || isHosted) && (
        <p>You are not signed in. Sign in where you opened Taskwire from, then <button type="button" className="quiet small" onClick={() => window.location.reload()}>load this page again</button>.</p>
      )}
      {people.kind === "away" && <p className="problem" role="alert">The server cannot be reached just now. Load this page again in a moment.</p>}
      {problem && <p className="problem" role="alert">{problem}</p>}
    </main>
  );
}
