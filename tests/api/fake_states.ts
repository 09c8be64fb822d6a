/** What a fake node begins with: tickets in every state, and a renewal of the key from end to end. */
import type { FileDiff } from "../../mod/config/mod.ts";
import type { RenewKeyAnswer } from "../../mod/api/mod.ts";
import type { TicketState } from "../../mod/base/ticket_state.ts";

export const TICKETS: readonly TicketState[] = [
  { id: "00112233", state: "open", node: null, leftMs: 90_400 },
  { id: "44556677", state: "pending", node: "nodeC", leftMs: 600_000 },
  { id: "8899aabb", state: "used", node: "nodeB", leftMs: 1_800_000 },
];

export const RENEWALS: readonly RenewKeyAnswer[] = [
  { stage: "offer", id: "00112233aabbccdd", waiting: ["nodeB"] },
  { stage: "use", id: "00112233aabbccdd", waiting: [] },
  { stage: "done", id: "00112233aabbccdd", waiting: [] },
];

/** A line of text for another, with what would steer a terminal. */
export const TEXT_DIFF: FileDiff = {
  ...{ path: "web.conf", change: "changed", kind: "file", binary: false },
  before: { size: 4, crc32: "0x00000001" },
  after: { size: 4, crc32: "0x00000002" },
  diff: "--- a/web.conf\n+++ b/web.conf\n@@ -1 +1 @@\n-old\n+\tnew\x1b[2J\n",
};
export const BINARY_DIFF: FileDiff = {
  ...{ path: "logo", change: "added", kind: "file", binary: true, before: null },
  after: { size: 9, crc32: "0x00000003" },
  diff: null,
};
