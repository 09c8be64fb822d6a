/** What a fake node begins with: tickets in every state, and a renewal of the key from end to end. */
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
