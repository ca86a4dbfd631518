// wire.ts - the protocol's types, as the page calls them. They are printed from proto/*.def.
import type {
  Counts, DashboardStatePayload, DashboardTaskListUpdatedPayload, TaskStatePayload,
  TimelineEvent, UserNotificationPayload, Viewer,
} from "@proto/events";

export { ERRORS, MOVES, STATUSES, STATUS_BUCKETS, STATUS_TEXTS } from "@proto/events";
export type {
  Ack, ClientToServerEvents, DashboardTaskCountChangedPayload, DashboardTaskRemovedPayload, ErrorCode, Input,
  ServerToClientEvents, Status, TaskPresencePayload,
} from "@proto/events";

export type Row = DashboardTaskListUpdatedPayload;
export type Snapshot = DashboardStatePayload;
export type Task = TaskStatePayload;
export type Notice = UserNotificationPayload;
export type { Counts, TimelineEvent, Viewer };

export type PrState = NonNullable<Row["prState"]>;

/** Which of its three lists a dashboard shows a task in. */
export const SECTIONS = ["active", "failed", "completed"] as const;
export type Section = (typeof SECTIONS)[number];

/** GET /api/config. */
export interface Features {
  websocket: boolean;
  dashboard: boolean;
  taskDetail: boolean;
}

/** Whose page this is: what the token says of them. */
export interface Person {
  sub: string;
  org: string;
  name: string;
  roles: string[];
}
