/**
 * A program for a lab host: the block layer's reservation calls on one disk, one after the other.
 * Arguments: the device, then calls (`register KEY`, `reserve KEY TYPE`, …); prints how each ended.
 *
 * @module
 */
import { PrWay } from "../../mod/host/linux/pr_way.ts";
import type { ReservationCommand, ReservationType } from "../../mod/host/ports.ts";

const [device = "", ...calls] = Deno.args;
const way = PrWay.open(device);
if ("failure" in way) throw new Error(way.detail);

function commandOf(words: readonly string[]): ReservationCommand | null {
  const [kind, key = "", more = "", last] = words;
  const type = Number(more) as ReservationType;
  switch (kind) {
    case "register": {
      const flags = { persist: null, allTargetPorts: false, initiatorPorts: [] };
      return { kind, key, old: more === "" ? null : more, ...flags };
    }
    case "reserve":
    case "release":
      return { kind, key, type };
    case "clear":
      return { kind, key };
    case "preempt":
      return { kind, key, victim: more, type: 5, abort: last === "abort" };
    default:
      return null;
  }
}

for (const call of calls) {
  const command = commandOf(call.split(" "));
  const end = command === null ? way.readReservations() : way.command(command);
  console.log(end === null ? "ok" : "failure" in end ? end.failure : JSON.stringify(end));
}
way.close();
