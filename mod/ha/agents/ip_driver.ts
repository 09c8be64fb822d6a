/** Kind `ip`: an address that nobody else may have, and that the neighbours know at once. @module */
import { parseIp } from "../../base/ip.ts";
import type { ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import type {
  AddressPort,
  AddressSpec,
  ClockPort,
  ProcessHealth,
  ProcessPort,
} from "../../host/ports.ts";
import type { IpAction } from "./action.ts";
import { Announcer } from "./announcer.ts";
import { type Done, holdFor, type KindDriver, once, printNote, readNote } from "./kind_driver.ts";
import { type Starting, type StartSpec, undoHeld } from "./kind_driver.ts";
import type { Failure } from "./ocf.ts";

/** What the driver works on. */
export interface IpPorts {
  readonly process: ProcessPort;
  readonly address: AddressPort;
  readonly clock: ClockPort;
}

export class IpDriver implements KindDriver<IpAction> {
  readonly #ports: IpPorts;
  readonly #announcer: Announcer;

  constructor(ports: IpPorts) {
    this.#ports = ports;
    this.#announcer = new Announcer(ports.address, ports.clock);
  }

  start(spec: Starting<IpAction>, done: Done): void {
    const { address } = this.#ports;
    const place = this.#placeOf(spec.action);
    if ("why" in place) return done(place);
    // One that is here already is nobody else's.
    const asks = spec.action.probe && address.look(place) !== true;
    if (!asks) return this.#take(spec, place, done);
    address.probe(place, (result) => {
      if ("failure" in result) return done(once(result.failure));
      const { holder } = result;
      if (holder === null) return this.#take(spec, place, done);
      done(once(`${place.address} is in use: ${holder} answers for it on "${place.interface}"`));
    });
  }

  stop({ id }: Pick<StartSpec, "id">, _graceMs: Millis | null, done: Done): void {
    this.#announcer.end(id);
    undoHeld(this.#ports.process, id, done);
  }

  monitor({ id }: Pick<StartSpec, "id">, done: (health: ProcessHealth) => void): void {
    const place = this.#heldPlace(id);
    if (place === null) return done({ state: "stopped" });
    const seen = this.#ports.address.look(place);
    if (seen !== true) return done({ state: "failed", why: seen.why });
    this.#announcer.begin(id, place, true);
    done({ state: "running" });
  }

  /** Everything was killed: the keeper took the addresses away. */
  onKilled(): void {
    this.#announcer.endAll();
  }

  #take(spec: Starting<IpAction>, place: AddressSpec, done: Done): void {
    const { process: processes, address } = this.#ports;
    const { id } = spec;
    const action = { ...spec.action, prefix: place.prefix, interface: place.interface };
    const undo = [{ undo: "address", ...place }] as const;
    const note = printNote({ ...spec, action });
    holdFor(processes, { spec, undo, note }, (refused) => {
      if (refused !== null) return done(once(refused));
      // Nothing can come between this look at the guard and the address.
      const late = processes.refusal(id);
      const why = late ?? address.add(place);
      if (late === null) processes.made(id);
      if (why !== null) return undoHeld(processes, id, () => done(once(why)));
      const seen = address.look(place);
      if (seen !== true) return done(once(seen.why));
      this.#announcer.begin(id, place, false);
      done(null);
    });
  }

  #placeOf({ address, interface: on, prefix }: IpAction): AddressSpec | Failure {
    const found = this.#ports.address.find(address);
    const whole = parseIp(address)?.length === 4 ? 32 : 128;
    if (on !== null) {
      const same = found?.interface === on ? found.prefix : whole;
      return { address, interface: on, prefix: prefix ?? same };
    }
    if (found !== null) return { address, ...found, prefix: prefix ?? found.prefix };
    const why = `no interface here has an address of the network of ${address}; ` +
      'name one with "interface"';
    return { why, scope: "node" };
  }

  #heldPlace(id: ResourceId): AddressSpec | null {
    const note = readNote(this.#ports.process.note(id) ?? "");
    if (note?.action.kind !== "ip") return null;
    const { address, prefix, interface: on } = note.action;
    return prefix === null || on === null ? null : { address, prefix, interface: on };
  }
}
