import assert from "node:assert/strict";
import type { FuseEvent } from "../../../mod/config/events.ts";
import { decodeRequest, encodeNotice, encodeReply } from "../../../mod/config/fuse/wire.ts";
import { FuseDriver } from "../../../mod/config/fuse_driver.ts";
import type { FuseFailure, FusePort } from "../../../mod/host/ports.ts";
import { HostFuse, SimFuse } from "../../../mod/sim/mod.ts";

const OPTIONS = { target: "/etc/pve", source: "pentad" };

/** A driver over a simulated kernel that is called at once, or later by `queue`. */
class Desk {
  readonly host = new HostFuse();
  readonly queue: (() => void)[] = [];
  readonly events: FuseEvent[] = [];
  readonly log: string[] = [];
  readonly driver: FuseDriver;

  constructor(later = false) {
    const fuse: FusePort = new SimFuse(this.host, (run) => later ? this.queue.push(run) : run());
    this.driver = new FuseDriver({
      fuse,
      feed: (event) => this.events.push(event),
      onLost: (why) => this.log.push(`lost: ${why}`),
    });
  }

  mount(): void {
    this.driver.mount(OPTIONS, (failure) => this.log.push(failure?.failure ?? "mounted"));
  }

  run(): void {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) next();
  }
}

Deno.test("FuseDriver turns requests into events, and effects into answers and notices", () => {
  const desk = new Desk();
  desk.mount();
  assert.deepEqual(desk.log, ["mounted"]);
  const [first] = desk.events;
  const init = decodeRequest(first?.bytes ?? new Uint8Array(0));
  assert.ok(init?.call === "init");
  desk.driver.perform({ kind: "fuse-reply", bytes: encodeReply(init, { reply: "init" }) });
  const kernel = desk.host.kernel("/etc/pve");
  assert.ok((kernel?.maxWrite ?? 0) > 0, "the answer reached the kernel");
  const notice = { notice: "inode", node: 5 } as const;
  desk.driver.perform({ kind: "fuse-notice", bytes: encodeNotice(notice) });
  assert.deepEqual(kernel?.notices, [notice]);
});

Deno.test("FuseDriver.close() unmounts, and tells when that is over", () => {
  const desk = new Desk(true);
  desk.mount();
  desk.run();
  desk.driver.close(() => desk.log.push("closed"));
  assert.deepEqual(desk.log, ["mounted"]);
  desk.run();
  assert.deepEqual(desk.log, ["mounted", "closed"], "and it is not lost");
  assert.deepEqual(desk.host.targets(), []);
  desk.driver.perform({ kind: "fuse-reply", bytes: new Uint8Array(16) });
});

Deno.test("FuseDriver.close() undoes a mount that is under way", () => {
  const desk = new Desk(true);
  desk.mount();
  desk.driver.close(() => desk.log.push("closed"));
  desk.run();
  assert.deepEqual(desk.log, ["closed"]);
  assert.deepEqual(desk.host.targets(), []);
});

Deno.test("FuseDriver tells a mount that cannot be, and closes at once after it", () => {
  const desk = new Desk();
  desk.host.occupy("/etc/pve", "/dev/fuse");
  desk.mount();
  desk.driver.close(() => desk.log.push("closed"));
  assert.deepEqual(desk.log, ["occupied", "closed"]);
  assert.deepEqual(desk.events, []);
  const failing = new Desk(true);
  failing.host.occupy("/etc/pve", "/dev/fuse");
  failing.mount();
  failing.driver.close(() => failing.log.push("closed"));
  failing.run();
  assert.deepEqual(failing.log, ["closed"]);
});

Deno.test("FuseDriver tells a mount that is lost, once", () => {
  let end: (why: string) => void = () => {};
  const log: (string | FuseFailure | null)[] = [];
  const session = { reply() {}, notify() {}, unmount: () => log.push("unmount") };
  const fuse: FusePort = {
    mount(_options, handlers, done) {
      end = (why) => handlers.onClosed(why);
      done(session);
    },
  };
  const driver = new FuseDriver({ fuse, feed: () => {}, onLost: (why) => log.push(why) });
  driver.mount(OPTIONS, (failure) => log.push(failure));
  end("it was unmounted from outside");
  driver.close(() => log.push("closed"));
  assert.deepEqual(log, [null, "it was unmounted from outside", "closed"]);
});
