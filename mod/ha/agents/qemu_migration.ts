/**
 * Live migration of a machine by QEMU (docs/devel/migration; qapi/migration.json): the target's QEMU
 * is made of the same words, halted, and waits at a TCP port; the source's sends its memory there
 * while the guest runs, and halts for the rest. Both ends know each other by TLS with a key of this
 * migration alone (docs/system/tls: pre-shared keys), so that nobody else reads the memory of a
 * guest, or sends one. QEMU opens the disks of a machine that waits without the right to write, and
 * with `late-block-activate` takes that right only when it is let run.
 *
 * The source that has sent everything stays halted; the target runs when it is told to. One that was
 * never let run is not ended in order, for that may write to its disks, but killed.
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import type { ResourceId } from "../../base/id.ts";
import { after, type Instant, type Millis } from "../../base/time.ts";
import type { VmAction } from "./action.ts";
import { type Done, once, readNote, type Starting } from "./kind_driver.ts";
import {
  type Arrival,
  type MigrationGround,
  migrationName,
  type MigrationTarget,
} from "./migration.ts";
import type { Failure } from "./ocf.ts";
import { QemuStart, type VmPorts } from "./qemu_start.ts";
import { isObject, statusIn } from "./qmp.ts";
import type { QmpCommand } from "./qmp_talk.ts";
import { quoteOption } from "./vm_command.ts";

/** Credentials of a machine that waits; it goes when it is let run, and shows that it was not. */
export const ARRIVAL_OBJECT = "arrival";
/** Credentials of one that sends, with the number of its migration. */
const PASSAGE_OBJECT = "passage";
/** Names every object of a machine's. */
export const LIST_OBJECTS: QmpCommand = { execute: "qom-list", arguments: { path: "/objects" } };
/** After so long a machine changes its memory faster than it can be sent. */
const SEND_MS: Millis = 15 * 60_000;
/** Bytes a second: the network's affair, not a constant of QEMU's. */
const BANDWIDTH = 10 * 1024 ** 3;
/** What the source may halt for, at the end. */
const DOWNTIME_MS: Millis = 300;
/** Whoever sent everything was heard to the end; the rest is between QEMU and its disks. */
const LOAD_MS: Millis = 10_000;
/** QEMU may take so long to give a migration up. */
const CANCEL_MS: Millis = 10_000;
const WORDS_MAX = 240;
/** Name of the one identity in a file of keys. */
const USER = "pentad";

/** What both ends work on. */
export interface MigrationPorts extends VmPorts {
  readonly migrationKey: (name: string) => Uint8Array;
}

/** How a migration is under way, by `query-migrate`. */
export interface MigrationState {
  readonly status: string;
  readonly why: string;
  /** Where it is awaited; 0 for nowhere. */
  readonly port: number;
}

/** Reads that answer of a machine that its guest may have taken over. */
export function migrationIn(value: unknown): MigrationState {
  const status = isObject(value) && typeof value.status === "string" ? value.status : "none";
  const words = isObject(value) && typeof value["error-desc"] === "string"
    ? value["error-desc"]
    : "";
  const places = isObject(value) ? value["socket-address"] : null;
  const place: unknown = Array.isArray(places) ? places[0] : null;
  const word = isObject(place) && typeof place.port === "string" ? place.port : "";
  const port = /^\d{1,5}$/.test(word) ? Number(word) : 0;
  const known = port > 0 && port <= 0xffff;
  return { status, why: words.slice(0, WORDS_MAX), port: known ? port : 0 };
}

/** Is there an object of that name? */
export function hasObject(value: unknown, name: string): boolean {
  return Array.isArray(value) && value.some((each) => isObject(each) && each.name === name);
}

/** See the module's note. */
export class QemuMigration {
  readonly #ports: MigrationPorts;
  readonly #start: QemuStart;
  readonly #calledOff = new Set<ResourceId>();

  constructor(ports: MigrationPorts) {
    this.#ports = ports;
    this.#start = new QemuStart(ports);
  }

  receive(
    spec: Starting<VmAction>,
    { live, host, boot }: MigrationGround,
    done: (failure: Failure | null, arrival?: Arrival) => void,
  ): void {
    const begun = this.#start.begin(spec);
    if ("why" in begun) return done(begun);
    const unsafe = begun.start.config.disks.find(({ cache }) => cache === "unsafe");
    if (unsafe !== undefined) {
      const disk = `${unsafe.bus}${unsafe.at}`;
      return done(once(`${disk} has cache=unsafe: what is not written yet would not be seen here`));
    }
    const { id } = spec;
    const folder = this.#keep(id, migrationName(id, live, boot));
    // The key is read when somebody calls: it is kept until the machine runs, or is stopped.
    if (!folder.startsWith("/")) return done(once(folder));
    const failed = (failure: Failure) => {
      this.#ports.guest.forgetKey(id);
      done(failure);
    };
    const words = [
      ...[
        "-object",
        `tls-creds-psk,id=${ARRIVAL_OBJECT},endpoint=server,dir=${quoteOption(folder)}`,
      ],
      ...["-incoming", "defer"],
    ];
    this.#start.launch(spec, begun, { words, note: { received: true } }, (failure) => {
      if (failure !== null) return failed(failure);
      const commands = [
        command("migrate-set-capabilities", { capabilities: [on("late-block-activate")] }),
        command("migrate-set-parameters", { "tls-creds": ARRIVAL_OBJECT }),
        command("migrate-incoming", { uri: `tcp:${printHost(host)}:0` }),
        command("query-migrate"),
      ];
      this.#start.talk(id, commands, (result) => {
        if ("why" in result) return failed(once(result.why));
        const { port } = migrationIn(result.answers.at(-1));
        if (port === 0) return failed(once("its monitor does not say where it listens"));
        done(null, { port, build: this.#start.buildOf(begun.start) });
      });
    });
  }

  resume(spec: Starting<VmAction>, done: Done): void {
    const begun = this.#start.begin(spec);
    if ("why" in begun) return done(begun);
    const { start } = begun;
    this.#awaitLoaded(spec.id, after(this.#ports.clock.now(), LOAD_MS), (failure) => {
      if (failure !== null) return done(failure);
      this.#start.letRun(start, (why) => {
        if (why !== null) return done(why);
        // Until now a look at it would have said that it was never let run.
        // Where that is not heard it runs all the same.
        this.#start.talk(spec.id, [command("object-del", { id: ARRIVAL_OBJECT })], () => {
          this.#ports.guest.forgetKey(spec.id);
          done(null);
        });
      });
    });
  }

  handOver(
    { id, live, to }: {
      readonly id: ResourceId;
      readonly live: number;
      readonly to: MigrationTarget;
    },
    done: Done,
  ): void {
    this.#calledOff.delete(id);
    const end: Done = (failure) => {
      this.#calledOff.delete(id);
      this.#ports.guest.forgetKey(id);
      done(failure);
    };
    const known = this.#unlike(id, to);
    if (known !== null) return end(once(known));
    const watch = () => {
      const until = after(this.#ports.clock.now(), SEND_MS);
      this.#watch({ id, until, over: null }, end);
    };
    const object = `${PASSAGE_OBJECT}-${live}`;
    const asks = [command("query-status"), command("query-migrate"), LIST_OBJECTS];
    this.#start.talk(id, asks, (result) => {
      if ("why" in result) return end(once(result.why));
      const [state, migration, objects] = result.answers;
      const status = statusIn(state);
      // A daemon's former life began it, and it went on. Of a machine that runs "completed" means
      // how it came here.
      if (hasObject(objects, object)) {
        if (status === "postmigrate") return end(null);
        if (UNDER_WAY.has(migrationIn(migration).status)) return watch();
      } else if (UNDER_WAY.has(migrationIn(migration).status)) {
        // Another decision's; it is not this one's, whatever becomes of it.
        return this.#start.talk(id, [command("migrate_cancel")], () => {
          end(once("a migration of before is under way still"));
        });
      }
      if (status !== "running") return end(once(`it does not run: it is "${status}"`));
      const folder = this.#keep(id, migrationName(id, live, to.boot));
      if (!folder.startsWith("/")) return end(once(folder));
      // Those of migrations that failed are left; one of this number would be in the way.
      this.#start.talk(id, [command("object-del", { id: object })], () => {
        this.#start.talk(id, sending(folder, object, to), (sent) => {
          if ("why" in sent) return end(once(sent.why));
          watch();
        });
      });
    });
  }

  callOff(id: ResourceId): void {
    this.#calledOff.add(id);
  }

  /** Why what runs here is not what is awaited there; null: it is. */
  #unlike(id: ResourceId, { build }: MigrationTarget): string | null {
    const action = readNote(this.#ports.process.note(id) ?? "")?.action;
    if (action?.kind !== "vm" || action.by !== "qemu" || action.build === undefined) {
      return 'it was not started by this version\'s QEMU driver: "pentad ha relocate" moves it';
    }
    return action.build === build
      ? null
      : "its definition changed since it was started, or the hosts' processors differ";
  }

  /**
   * Looks at it until it has ended. A monitor that does not answer while QEMU is busy with the rest
   * is asked again; from the first wish to end it on there is a last moment.
   */
  #watch(
    { id, until, over }: {
      readonly id: ResourceId;
      readonly until: Instant;
      readonly over: Instant | null;
    },
    done: Done,
  ): void {
    const { clock } = this.#ports;
    const again = (last = over) =>
      this.#start.later(() => this.#watch({ id, until, over: last }, done));
    this.#start.talk(id, [command("query-migrate")], (result) => {
      const now = clock.now();
      if ("answers" in result) {
        const { status, why } = migrationIn(result.answers[0]);
        if (status === "completed") return done(null);
        if (!UNDER_WAY.has(status)) {
          return done(once(`QEMU gave it up: ${why === "" ? `it is "${status}"` : why}`));
        }
      } else if (result.absent) return done(once(result.why));
      if (over !== null && now >= over) return done(once("QEMU does not give it up"));
      if (now < until && !this.#calledOff.has(id)) return again();
      // It may be done by now: what it is will be seen at the next look.
      const last = over ?? after(now, CANCEL_MS);
      this.#start.talk(id, [command("migrate_cancel")], () => again(last));
    });
  }

  #awaitLoaded(id: ResourceId, end: Instant, done: Done): void {
    this.#start.talk(id, [command("query-status"), command("query-migrate")], (result) => {
      if ("why" in result) return done(once(result.why));
      const [status, migration] = result.answers;
      const { status: loaded } = migrationIn(migration);
      if (statusIn(status) === "paused" && loaded === "completed") return done(null);
      if (this.#ports.clock.now() >= end) return done(once(`its memory is not whole: "${loaded}"`));
      this.#start.later(() => this.#awaitLoaded(id, end, done));
    });
  }

  /** Puts the key of a migration where QEMU reads it: the folder, or in a clause why not. */
  #keep(id: ResourceId, name: string): string {
    const key = toHex(this.#ports.migrationKey(name));
    return this.#ports.guest.keepKey(id, `${USER}:${key}\n`);
  }
}

const UNDER_WAY: ReadonlySet<string> = new Set([
  ...["setup", "active", "device", "pre-switchover", "wait-unplug", "cancelling"],
]);

function on(capability: string) {
  return { capability, state: true };
}

function sending(folder: string, id: string, { host, port }: MigrationTarget): QmpCommand[] {
  return [
    command("object-add", {
      ...{ "qom-type": "tls-creds-psk", id, endpoint: "client" },
      ...{ dir: folder, username: USER },
    }),
    // The target's word that it has everything is waited for; a guest that writes too fast is slowed.
    command("migrate-set-capabilities", {
      capabilities: [on("return-path"), on("auto-converge")],
    }),
    command("migrate-set-parameters", {
      ...{ "tls-creds": id, "max-bandwidth": BANDWIDTH },
      ...{ "downtime-limit": DOWNTIME_MS },
    }),
    command("migrate", { uri: `tcp:${printHost(host)}:${port}` }),
  ];
}

function command(execute: string, args?: Readonly<Record<string, unknown>>): QmpCommand {
  return args === undefined ? { execute } : { execute, arguments: args };
}

function printHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
