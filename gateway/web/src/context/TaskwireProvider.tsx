// TaskwireProvider.tsx - all that hooks and components need, in one: session, storage, connection.
import { useEffect, useState, type ReactNode } from "react";
import type { Person } from "../model/wire";
import { Session, type Leaving } from "../session/Session";
import type { TokenSource } from "../session/tokens";
import { openDatabase, ownerOf, type Database } from "../store/db";
import { SessionProvider, useSession } from "./SessionContext";
import { WebSocketProvider } from "./WebSocketContext";

export interface TaskwireProps {
  /** Where tokens come from; none: the demo's sign-in, where the gateway has that. */
  tokens?: TokenSource;
  /** The gateway's origin; none: the page's own. */
  url?: string;
  /** Shown while nobody is signed in; none: nothing. */
  signedOut?: ReactNode;
  children: ReactNode;
}

interface Ground {
  session: Session;
  db: Database;
}

/** What is kept of somebody goes with them. Their unsent forms are their own words: these go
 *  when they sign out, and wait for them when only a token has ended. */
async function forgetPerson(db: Database, person: Person, why: Leaving): Promise<void> {
  const owner = ownerOf(person);
  await db.removeAll("kept", owner);
  if (why === "signed_out") await db.removeAll("letters", owner);
}

async function lay(tokens: TokenSource | undefined): Promise<Ground> {
  const db = await openDatabase();
  const session = new Session(tokens ?? null, tokens !== undefined, async (person, why) => {
    await forgetPerson(db, person, why);
    // The page was being taken down meanwhile, and may have written once more.
    setTimeout(() => { void db.removeAll("kept", ownerOf(person)); }, 0);
  });
  return { session, db };
}

function Gate({ db, url, signedOut, children }: { db: Database; url: string; signedOut: ReactNode; children: ReactNode }): ReactNode {
  const { state } = useSession();
  if (state.phase === "starting") return null;
  if (state.phase === "signed_out") return signedOut;
  return <WebSocketProvider person={state.person} db={db} url={url}>{children}</WebSocketProvider>;
}

export function TaskwireProvider({ tokens, url = "", signedOut = null, children }: TaskwireProps): ReactNode {
  const [ground, setGround] = useState<Ground | null>(null);
  useEffect(() => {
    let isCurrent = true;
    void lay(tokens).then((laid) => {
      if (!isCurrent) return;
      setGround(laid);
      void laid.session.start();
    });
    return () => { isCurrent = false; };
  }, [tokens]);
  if (!ground) return null;
  return (
    <SessionProvider value={ground.session}>
      <Gate db={ground.db} url={url} signedOut={signedOut}>{children}</Gate>
    </SessionProvider>
  );
}
