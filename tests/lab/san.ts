/**
 * A storage network in the lab: h3 is the array, h1 and h2 are its users. Their disks are reached
 * as a daemon reaches its own: through a disk process, which here runs in that host.
 *
 * One lab serves all tests of a file; its disks stay open, for a process takes seconds to start in
 * there. {@link San.reset} makes a unit new.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DiskProcessPort } from "../../mod/host/linux/disk_process.ts";
import type { Disk, DiskFailure, DiskPort } from "../../mod/host/ports.ts";
import { Lab } from "../../scripts/lab/lab.ts";
import { BLOCK, Hand } from "../contract/disk_hand.ts";

const WORKER = new URL("../host/disk_worker_main.ts", import.meta.url).pathname;
/** Of both units: as large as the contract's disks. */
export const UNIT_BYTES = 64 * 4096;
/** No call takes this long, unless its target hangs. */
const CALL_SECONDS = 60;
/** In half of it a command of ours, two disk processes and the test's own are too many. */
const MEMORY = "512M";

export type Kind = "lio" | "tgt";

/** See the module's note. */
export class San {
  readonly lab: Lab;
  readonly #ports: readonly DiskProcessPort[];
  readonly #places = new Map<string, string>();
  readonly #disks = new Map<string, Promise<Disk | DiskFailure>>();

  private constructor(lab: Lab, worker: readonly string[]) {
    this.lab = lab;
    this.#ports = [1, 2].map((number) =>
      new DiskProcessPort({ selfCommand: [...lab.host(number).remote, "--", ...worker] })
    );
  }

  /** Boots it and logs both users in to both targets. */
  static async make(): Promise<San> {
    const lab = await Lab.make({ hosts: 3, memory: MEMORY });
    try {
      const san = new San(lab, await lab.program(WORKER));
      await lab.host(3).must(
        `/lab/target.sh lio ${UNIT_BYTES} && /lab/target.sh tgt ${UNIT_BYTES}`,
      );
      const users = [1, 2] as const;
      await Promise.all(users.map(async (user) => {
        await san.#login(user, "lio");
        await san.#login(user, "tgt");
      }));
      return san;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The device of a unit on a host; `second`: through its second nexus. */
  place(user: 1 | 2, kind: Kind, way: "first" | "second" = "first"): string {
    const place = this.#places.get(`${user} ${kind} ${way}`);
    assert.ok(place !== undefined, `h${user} is logged in to ${kind}`);
    return place;
  }

  /** Logs a host in a second time, under another name. */
  async second(user: 1 | 2, kind: Kind): Promise<string> {
    if (!this.#places.has(`${user} ${kind} second`)) await this.#login(user, kind, "second");
    return this.place(user, kind, "second");
  }

  /** Forgets where a host's disk was, and logs it in anew. */
  async login(user: 1 | 2, kind: Kind): Promise<string> {
    await this.#login(user, kind);
    return this.place(user, kind);
  }

  /** A disk port whose disks stay open: the next opening of a path is the same disk. */
  port(user: 1 | 2): DiskPort {
    return {
      open: (path, done) => {
        this.#open(user, path).then((disk) => {
          if ("failure" in disk) {
            this.#disks.delete(`${user} ${path}`);
            return done(disk);
          }
          // A close would end the process.
          done(
            new Proxy(disk, {
              get: (target, name) => {
                if (name === "close") return () => {};
                const value = Reflect.get(target, name);
                return typeof value === "function" ? value.bind(target) : value;
              },
            }),
          );
        });
      },
    };
  }

  /** A disk as a hand that holds it. */
  async hand(user: 1 | 2, path: string): Promise<Hand> {
    const disk = await this.#open(user, path);
    assert.ok(!("failure" in disk), JSON.stringify(disk));
    return new Hand(settle, disk);
  }

  /** Ends the process that has a disk, so that the next opening starts another. */
  async drop(user: 1 | 2, path: string): Promise<void> {
    const disk = await this.#disks.get(`${user} ${path}`);
    this.#disks.delete(`${user} ${path}`);
    if (disk !== undefined && !("failure" in disk)) disk.close();
  }

  /** Nobody is registered, nothing is pending, all blocks are zeros. */
  async reset(kind: Kind): Promise<void> {
    const one = await this.hand(1, this.place(1, kind));
    const two = await this.hand(2, this.place(2, kind));
    const key = "00000000000000ff";
    await one.inspect();
    assert.equal(await one.register(key), "ok");
    assert.equal(await one.command({ kind: "clear", key }), "ok");
    for (const hand of [one, two]) assert.deepEqual((await hand.inspect()).state.keys, []);
    assert.equal(await one.write(0, 0, UNIT_BYTES / BLOCK), "ok");
  }

  async close(): Promise<void> {
    for (const port of this.#ports) await port.close();
    await this.lab.close();
  }

  #open(user: 1 | 2, path: string): Promise<Disk | DiskFailure> {
    const name = `${user} ${path}`;
    const known = this.#disks.get(name);
    if (known !== undefined) return known;
    const port = this.#ports[user - 1];
    assert.ok(port !== undefined);
    const disk = new Promise<Disk | DiskFailure>((done) => port.open(path, done));
    this.#disks.set(name, disk);
    return disk;
  }

  async #login(user: 1 | 2, kind: Kind, way: "first" | "second" = "first"): Promise<void> {
    const ask = `/lab/login.sh ${kind} h3${way === "second" ? " second" : ""}`;
    this.#places.set(`${user} ${kind} ${way}`, await this.lab.host(user).must(ask));
  }
}

/** A call that does not end is a failure by its own name, not a test that hangs. */
async function settle<T>(answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`No answer within ${CALL_SECONDS} s`);
    timer = setTimeout(() => reject(error), CALL_SECONDS * 1000);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
