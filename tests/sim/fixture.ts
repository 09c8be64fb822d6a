/** A small site with calm defaults, and shorthands for tests of the simulated world. @module */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import type { Disk, DiskFailure, Ports, ProcessSpec, TcpEvents } from "../../mod/host/ports.ts";
import { type SimHost, SimSite, World, type WorldOptions } from "../../mod/sim/mod.ts";

export const BLOCK = 4096;
export const WEB = resourceId("exec:web");
export const SPEC: ProcessSpec = {
  id: WEB,
  command: ["sleep", "1000"],
  environment: {},
  directory: null,
};

/** Nothing is lost, doubled or refused unless the test asks for it. */
export const CALM: Partial<WorldOptions> = {
  netLoss: 0,
  netDuplicate: 0,
  netReplay: 0,
  processStartFails: 0,
  processStopHangs: 0,
};

/** A site with hosts `a`, `b`, … at 10.0.0.1, 10.0.0.2, … and a second link at 10.1.0.x. */
export function makeSite(seed: number, options: Partial<WorldOptions> = {}, hosts = 2): SimSite {
  const site = new SimSite(new World(seed, { ...CALM, ...options }));
  for (let i = 0; i < hosts; i++) {
    site.addHost("abcdefgh".charAt(i), [`10.0.0.${i + 1}`, `10.1.0.${i + 1}`]);
  }
  return site;
}

export function host(site: SimSite, index: number): SimHost {
  const found = site.hosts[index];
  assert.ok(found, `host ${index} is there`);
  return found;
}

/** Runs the world until `call` is answered, at most a minute. */
export function ask<T>(site: SimSite, call: (done: (value: T) => void) => void): T {
  const answers: T[] = [];
  call((value) => answers.push(value));
  const end = site.world.now + 60_000;
  while (answers.length === 0 && site.world.next() <= end) site.world.step();
  const [answer] = answers;
  assert.ok(answer !== undefined, "the call is answered");
  return answer;
}

export function openDisk(site: SimSite, ports: Ports, path: string): Disk {
  const disk = ask<Disk | DiskFailure>(site, (done) => ports.disk.open(path, done));
  assert.ok(!("failure" in disk), "the disk opens");
  return disk;
}

export function block(byte: number): Uint8Array {
  return new Uint8Array(BLOCK).fill(byte);
}

/** Events of a connection that only counts. */
export interface Counted extends TcpEvents {
  opens: number;
  closes: number;
  bytes: number[];
}

export function counted(): Counted {
  const events: Counted = {
    opens: 0,
    closes: 0,
    bytes: [],
    onOpen: () => events.opens++,
    onData: (bytes) => events.bytes.push(...bytes),
    onClose: () => events.closes++,
  };
  return events;
}
