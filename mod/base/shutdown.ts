/** Why a node stops in order. @module */

/**
 * Its host goes and comes back, its host goes, pentad goes and comes back (an upgrade), or (the
 * default) pentad goes.
 */
export type ShutdownHow = "reboot" | "poweroff" | "restart" | "stop";
