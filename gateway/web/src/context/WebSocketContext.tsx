// WebSocketContext.tsx - the signed-in person's connection and what hangs on it, for all hooks
// below. One socket for the whole page.
import { QueryClientProvider } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import type { Person } from "../model/wire";
import type { Database } from "../store/db";
import { Services } from "./services";
import { useSession } from "./SessionContext";

const WebSocketContext = createContext<Services | null>(null);

interface Props {
  person: Person;
  db: Database;
  /** The gateway's origin; empty: the page's own. */
  url: string;
  children: ReactNode;
}

export function WebSocketProvider({ person, db, url, children }: Props): ReactNode {
  const { session } = useSession();
  const [services, setServices] = useState<Services | null>(null);
  const { sub, org } = person;

  useEffect(() => {
    const mine = new Services(person, session, db, url);
    let isCurrent = true;
    void mine.open().then(() => { if (isCurrent) setServices(mine); });
    return () => {
      isCurrent = false;
      mine.close();
      setServices(null);
    };
    // A new name or role of the same person is no new person.
  }, [sub, org, session, db, url]);

  if (!services) return null;
  return (
    <QueryClientProvider client={services.client}>
      <WebSocketContext.Provider value={services}>{children}</WebSocketContext.Provider>
    </QueryClientProvider>
  );
}

export function useServices(): Services {
  const services = useContext(WebSocketContext);
  if (!services) throw new Error("this hook needs a WebSocketProvider above it");
  return services;
}
