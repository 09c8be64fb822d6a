/** What the slots of other nodes tell, as they are read from one disk. @module */
import { reason } from "../base/reason.ts";
import type { StorageFact } from "../streams.ts";
import { BLOCK_BYTES } from "./block.ts";
import type { StorageContext } from "./context.ts";
import { decodePulse, type PulseSlot, slotOffset } from "./layout.ts";
import type { DiskPulse, SlotRange } from "./pulse.ts";

/** The disk, and who hears of each sound slot. */
export interface SlotReader {
  readonly uuid: string;
  readonly pulse: DiskPulse;
  readonly onSlot: (slot: PulseSlot) => void;
}

/** Takes `bytes`, which were read at `range`; what is damaged or belongs elsewhere is passed over. */
export function readSlots(
  context: StorageContext,
  { uuid, pulse, onSlot }: SlotReader,
  { bytes, range }: { readonly bytes: Uint8Array; readonly range: SlotRange },
): void {
  const { fenceWaitMs, deadMs } = context.timing;
  for (const node of range.nodes) {
    const at = slotOffset(node) - range.offset;
    const slot = decodePulse(bytes.subarray(at, at + BLOCK_BYTES), { node, uuid });
    if (slot.found !== "ok") continue;
    onSlot(slot.value);
    const facts = pulse.read(slot.value, context.now(), deadMs + fenceWaitMs);
    for (const fact of facts) tellPulse(context, fact);
  }
}

function tellPulse(context: StorageContext, fact: StorageFact): void {
  context.tell(fact);
  if (fact.fact !== "storage.pulse") return;
  const node = context.name(fact.node);
  const text = `pulse: ${node}, locks=${fact.diskLocks}` +
    (fact.words === "none" ? "" : `, words=${fact.words}`);
  context.say(text, reason("storage.pulse-seen", { node }), true);
}
