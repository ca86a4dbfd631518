// AdminPage.tsx - how the whole of it is, live: figures with their last minutes, the replicas,
// and what was refused (SPEC F3). For the role admin; the services check that themselves.
import { useEffect, type ReactNode } from "react";
import { Age } from "../components/Age";
import { NotFound } from "../components/NotFound";
import { useServices } from "../context/WebSocketContext";
import { useLate } from "../hooks/useLate";
import "./admin.css";
import { DeadLetters } from "./DeadLetters";
import { countWords, lagWords, rateWords, type ClusterHealth, type History, type Replica, type Sample, type TaskdStatus } from "./model";
import { Sparkline } from "./Sparkline";
import { useOperations } from "./useOperations";

type Field = Exclude<keyof Sample, "at" | "byReplica">;

function Tile({ name, value, history, field }: { name: string; value: string; history: History; field: Field }): ReactNode {
  return (
    <div className="tile" role="group" aria-label={name}>
      <span className="tile-name">{name}</span>
      <span className="tile-value">{value}</span>
      <Sparkline values={history.samples.map((s) => s[field])} label={name} />
    </div>
  );
}

function Tiles({ health, status, history }: { health: ClusterHealth | null; status: TaskdStatus | null; history: History }): ReactNode {
  const now = history.samples.at(-1);
  return (
    <div className="tiles">
      <Tile name="Connections" value={countWords(now?.connections)} history={history} field="connections" />
      <Tile name="Messages per second" value={rateWords(now?.messages)} history={history} field="messages" />
      <Tile name="Errors" value={countWords(health?.websocket.totalErrors)} history={history} field="errors" />
      <Tile name="Ingest lag" value={lagWords(now?.lagMs)} history={history} field="lagMs" />
      <Tile name="Outbox" value={countWords(status?.unpublished)} history={history} field="outbox" />
      <Tile name="Dead letters" value={countWords(status?.ingest.deadLetters)} history={history} field="dead" />
    </div>
  );
}

function ReplicaRow({ replica, history }: { replica: Replica; history: History }): ReactNode {
  return (
    <tr>
      <th scope="row" className="mono">{replica.id}</th>
      <td><span className="state" data-state={replica.state}>{replica.state}</span></td>
      <td className="number">{countWords(replica.connections)}</td>
      <td className="number">{countWords(replica.connectedUsers)}</td>
      <td className="number">{rateWords(replica.messagesPerSecond)}</td>
      <td className="plot"><Sparkline values={history.samples.map((s) => s.byReplica.get(replica.id) ?? null)} label={`Messages per second of ${replica.id}`} /></td>
      <td className="number">{countWords(replica.totalErrors)}</td>
      <td>{replica.version}</td>
      <td><Age at={replica.at} /></td>
    </tr>
  );
}

function Replicas({ health, history }: { health: ClusterHealth; history: History }): ReactNode {
  const replicas = health.replicas ?? [];
  return (
    <section aria-labelledby="replicas">
      <h2 id="replicas">Gateways</h2>
      {health.isComplete === false && <p className="problem" role="alert">Not all of them could be asked for just now.</p>}
      <div className="wide" role="region" aria-labelledby="replicas" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Replica</th><th scope="col">State</th><th scope="col" className="number">Connections</th>
              <th scope="col" className="number">People</th><th scope="col" className="number">Messages/s</th>
              <th scope="col">Last minutes</th><th scope="col" className="number">Errors</th><th scope="col">Version</th><th scope="col">Heard</th>
            </tr>
          </thead>
          <tbody>{replicas.map((r) => <ReplicaRow key={r.id} replica={r} history={history} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

/** What the services depend on, and whether it is there: in words, and only what is not is loud. */
function Dependencies({ health, status }: { health: ClusterHealth | null; status: TaskdStatus | null }): ReactNode {
  const down = [
    ...(health && !health.dependencies["redis"] ? ["Redis, as this gateway sees it"] : []),
    ...(health && !health.dependencies["taskd"] ? ["taskd"] : []),
    ...(status && status.dependencies["store"] !== "up" ? ["the store"] : []),
    ...(status && status.dependencies["redis"] !== "up" ? ["Redis, as taskd sees it"] : []),
  ];
  if (down.length > 0) return <p className="failure" role="alert">Not there: {down.join(", ")}.</p>;
  if (!health || !status) return null;
  return <p className="hint">Redis, taskd and the store are there. taskd {status.version} {status.ingest.isHolder ? "works the ingest stream" : "stands by"}; {countWords(status.ingest.waiting)} inputs wait for their turn.</p>;
}

export function AdminPage(): ReactNode {
  const { person } = useServices();
  const isAdmin = person.roles.includes("admin");
  const { health, status, letters, history, problem, retry } = useOperations(isAdmin);
  const isLate = useLate(isAdmin && history.samples.length === 0);
  useEffect(() => { document.title = "Operations · Taskwire"; }, []);
  if (!isAdmin) return <NotFound title="This page is for operators" text="It needs the role admin." />;
  return (
    <main className="page admin" id="main">
      <h1>Operations</h1>
      {problem && <p className="problem" role="alert">{problem}. What is shown is as it was last seen.</p>}
      {isLate && <p className="empty" role="status">Looking…</p>}
      <Dependencies health={health} status={status} />
      <Tiles health={health} status={status} history={history} />
      {health && <Replicas health={health} history={history} />}
      <DeadLetters letters={letters} count={status?.ingest.deadLetters ?? null} retry={retry} />
    </main>
  );
}
