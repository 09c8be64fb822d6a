/**
 * What tells this machine from any other, so that a state directory that was copied is known as a
 * copy: `/etc/machine-id` (machine-id(5)) and the product uuid of its firmware (SMBIOS 7.2.1), which
 * each copy of a virtual machine gets anew. Hashed: neither is to be told to anybody (machine-id(5)).
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import { createHash } from "node:crypto";

/** See the module's note; null where the host does not say. */
export interface Machine {
  /** 32 hex digits. */
  readonly id: string | null;
  readonly product: string | null;
}

const MACHINE_ID = "/etc/machine-id";
const PRODUCT_UUID = "/sys/class/dmi/id/product_uuid";

/** This machine. */
export function thisMachine(root = ""): Machine {
  return {
    id: hashOf(`${root}${MACHINE_ID}`, /^[0-9a-f]{32}$/),
    product: hashOf(`${root}${PRODUCT_UUID}`, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  };
}

/**
 * Why a directory of one machine is not this one's, or null. What either does not know is not
 * compared; that several daemons share one machine is nothing unusual.
 */
export function otherMachine(made: Machine, here: Machine): string | null {
  const differs = (a: string | null, b: string | null) => a !== null && b !== null && a !== b;
  const what = [
    ...differs(made.id, here.id) ? [`${MACHINE_ID} is another one`] : [],
    ...differs(made.product, here.product)
      ? ["the product uuid of the firmware is another one"]
      : [],
  ];
  return what.length === 0 ? null : what.join(", and ");
}

function hashOf(path: string, form: RegExp): string | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path).trim().toLowerCase();
  } catch {
    // Not every host has it, and not everybody may read it.
    return null;
  }
  // All zeros or all ones: the firmware has none.
  if (!form.test(text) || /^[0-]+$|^[f-]+$/.test(text)) return null;
  return toHex(createHash("sha256").update(`pentad ${text}`).digest().subarray(0, 16));
}
