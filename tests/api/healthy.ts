/** A status document of two nodes, all well. */
import type { StatusDocument } from "../../mod/node/view.ts";

/** What a test may change. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Two nodes, all well. */
export function healthy(): Mutable<StatusDocument> {
  const node = (name: string, id: number, self: boolean) => ({
    name,
    id,
    self,
    boot: self ? "0123456789abcdef" : "fedcba9876543210",
    role: "voter" as const,
    state: "online",
    vote: 1,
    links: self ? "self" : "1/1",
    rtt_ms: self ? null : 0.4,
    disk_pulse_s: 1,
    armed: true,
    load: 0.8,
    memory: 0.42,
    io_delay: 0,
    resources: self ? ["exec:web"] : [],
  });
  return {
    schema: "pentad.status/1",
    cluster: { name: "prod-a", id: "ab".repeat(16), profile: "fast" },
    node: { name: "nodeA", id: 1, boot: "0123456789abcdef" },
    at: "2026-11-22T09:04:00.000Z",
    quorate: true,
    votes: { present: 3, expected: 3, needed: 2 },
    armed: true,
    watchdog: "softdog",
    guard: { state: "held", margin_ms: 900 },
    dc: "nodeA",
    dc_epoch: 3,
    leader: "nodeA",
    nodes: [node("nodeA", 1, true), node("nodeB", 2, false)],
    streams: [
      { name: "heartbeat", state: "ok", now: "view 88: nodeA nodeB" },
      { name: "storage", state: "ok", now: "1/1 disks ready" },
    ],
    resources: [{
      ...{ id: "exec:web", state: "started", wanted: "started", node: "nodeA" },
      ...{ reason: "placed", detail: "" },
    }],
    config: {
      ...{ version: 412, term: 2, index: 412, crc32: "0xa4f2c1e8", content: "0x12345678" },
      writable: true,
      verified: { age_ms: 1_440_000, rows: 900, damaged: [] },
    },
    backup: {
      ...{ state: "ok", at: "2026-11-22T03:15:00.000Z", file: "/state/backup/config.db" },
      ...{ why: null, next: "2026-11-23T03:15:00.000Z" },
    },
    mount: { path: "/etc/pve", state: "mounted", why: null },
    ha: { mode: "armed", unguarded: [] },
  };
}
