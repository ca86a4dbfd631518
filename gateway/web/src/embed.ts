// embed.ts - what another React application takes from here (README, "In another application").
export { TaskwireProvider, type TaskwireProps } from "./context/TaskwireProvider";
export { useSession } from "./context/SessionContext";
export { useDashboardSubscription, type DashboardView } from "./hooks/useDashboardSubscription";
export { useNotifications, type NotificationsView } from "./hooks/useNotifications";
export { useOfflineDetection, type Offline } from "./hooks/useOfflineDetection";
export { useTaskSubscription, type TaskView } from "./hooks/useTaskSubscription";
export { useWebSocket, type WebSocketView } from "./hooks/useWebSocket";
export { NO_FILTERS, type Filters } from "./model/filters";
export { STATUS_TEXTS, type Notice, type Row, type Status, type Task } from "./model/wire";
export type { TokenSource } from "./session/tokens";
