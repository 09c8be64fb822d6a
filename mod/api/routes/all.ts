/** Every route there is. @module */
import type { Route } from "../route.ts";
import { backupRoutes } from "./backup.ts";
import { configRoutes } from "./config.ts";
import { eventRoutes } from "./events.ts";
import { haRoutes } from "./ha.ts";
import { haLogRoutes } from "./ha_log.ts";
import { haModeRoutes } from "./ha_mode.ts";
import { heartbeatRoutes } from "./heartbeat.ts";
import { historyRoutes } from "./history.ts";
import { joinRoutes } from "./join.ts";
import { memberRoutes } from "./members.ts";
import { ruleRoutes } from "./rules.ts";
import { statusRoutes } from "./status.ts";
import { storageRoutes } from "./storage.ts";
import { ticketRoutes } from "./tickets.ts";
import { watchRoutes } from "./watch.ts";
import { witnessRoutes } from "./witness.ts";

/** In the order of the OpenAPI document. */
export const ROUTES: readonly Route[] = [
  ...statusRoutes,
  ...eventRoutes,
  ...heartbeatRoutes,
  ...configRoutes,
  ...historyRoutes,
  ...memberRoutes,
  ...watchRoutes,
  ...backupRoutes,
  ...haRoutes,
  ...haLogRoutes,
  ...haModeRoutes,
  ...ruleRoutes,
  ...storageRoutes,
  ...witnessRoutes,
  ...joinRoutes,
  ...ticketRoutes,
];
