import assert from "node:assert/strict";
import { after, instant, NEVER } from "../../mod/base/time.ts";
import { Prng } from "../../mod/base/prng.ts";
import type { Ports } from "../../mod/host/ports.ts";
import { type SimSite, World } from "../../mod/sim/mod.ts";
import { block, host, makeSite, SPEC, WEB } from "./fixture.ts";

Deno.test("World runs events by time, and those of one time in the order of their making", () => {
  const world = new World(1);
  const seen: string[] = [];
  world.at(5, () => seen.push("5a"));
  const moved = world.at(1, () => seen.push("moved"));
  const gone = world.at(3, () => seen.push("gone"));
  world.at(5, () => seen.push("5b"));
  world.at(2, () => world.after(0, () => seen.push("2 within 2")));
  world.move(moved, 5);
  world.cancel(gone);
  world.runUntil(4);
  assert.deepEqual([seen, world.now], [["2 within 2"], 4]);
  world.runUntil(10);
  assert.deepEqual(seen, ["2 within 2", "5a", "5b", "moved"]);
  assert.equal(world.step(), false);
});

Deno.test("World keeps the order of many events that are moved and cancelled at random", () => {
  const world = new World(2);
  const prng = new Prng(3);
  let last = 0;
  let runs = 0;
  const all = Array.from({ length: 2000 }, () =>
    world.at(prng.between(0, 500), () => {
      assert.ok(world.now >= last);
      last = world.now;
      runs++;
    }));
  let cancelled = 0;
  for (const each of all) {
    const what = prng.fraction();
    if (what < 0.3) world.move(each, prng.between(0, 500));
    if (what > 0.7) {
      world.cancel(each);
      cancelled++;
    }
  }
  world.runUntil(500);
  assert.equal(runs, all.length - cancelled);
});

/** A daemon of sorts: beats, a byte stream, pulses, commits, a resource and a watchdog. */
function live(site: SimSite, index: number, ports: Ports): void {
  const { world } = site;
  const { clock } = ports;
  const socket = ports.udp.open(`10.0.0.${index + 1}:7000`, (from, bytes) => {
    world.note(from, bytes.length);
  });
  ports.tcp.listen(`10.0.0.${index + 1}:7001`, () => ({
    onData: (bytes) => world.note(bytes.length),
    onClose: () => world.note("closed"),
  }));
  ports.database.open((content) => {
    world.note("entries" in content ? content.entries.length : -1);
  });
  ports.watchdog.open(2000, (dog) => {
    const beat = clock.timer(() => {
      dog?.pet();
      ports.process.guardUntil(after(clock.now(), 1800));
      for (let to = 1; to <= 3; to++) socket.send(`10.0.0.${to}:7000`, ports.random.bytes(32));
      beat.set(after(clock.now(), 200));
    });
    beat.set(clock.now());
  });
  const database = ports.database.open(() => {
    for (let i = 1; i < 50; i++) {
      database.commit({ entries: [{ index: i, term: 1, body: block(i) }] }, () => world.note(i));
    }
  });
  const next = (index + 1) % 3 + 1;
  const connection = ports.tcp.connect(`10.0.0.${next}:7001`, {
    onOpen: () => connection.write(ports.random.bytes(5000)),
    onData: () => {},
    onClose: () => world.note("over"),
  });
  ports.disk.open("/dev/shared", (disk) => {
    if ("failure" in disk) return;
    disk.register(`00000000000000a${index}`, () => {
      disk.write(index * 4096, block(index), (failure) => world.note(failure?.failure ?? "ok"));
    });
  });
  ports.process.start({ ...SPEC, id: WEB }, (failure) => world.note(failure ?? "runs"));
}

function history(seed: number): { trace: number; events: number } {
  const site = makeSite(seed, { netLoss: 0.05, netDuplicate: 0.05, netReplay: 0.02 }, 3);
  site.disks.make("/dev/shared", 64 * 4096);
  for (const each of site.hosts) {
    each.onUp = () => live(site, each.index, each.boot());
    live(site, each.index, each.boot());
  }
  const { world } = site;
  world.at(1000, () => host(site, 0).powerCut(3000));
  world.at(2000, () => site.network.partition([[0, 1], [2]]));
  world.at(2500, () => host(site, 1).pauseDaemon(4000));
  world.at(3000, () => site.disks.setPath(2, "/dev/shared", "hung"));
  world.at(8000, () => site.network.heal());
  world.at(9000, () => site.disks.heal());
  world.runUntil(60_000);
  return { trace: world.trace, events: world.events };
}

Deno.test("World gives one history for one seed, and others for others", () => {
  const first = history(7);
  assert.ok(first.events > 1000, `${first.events} events`);
  assert.deepEqual(history(7), first);
  const traces = new Set([7, 8, 9, 10].map((seed) => history(seed).trace));
  assert.equal(traces.size, 4);
});

Deno.test("SimClock fires timers late by at most the drawn lateness, and never early", () => {
  const site = makeSite(4, { timerLateMs: [0, 5] });
  const ports = host(site, 0).boot();
  const { clock } = ports;
  const prng = new Prng(5);
  let fired = 0;
  let due = after(clock.now(), 1);
  const timer = clock.timer(() => {
    const late = clock.now() - due;
    assert.ok(late >= 0 && late <= 5.1, `late by ${late}`);
    fired++;
    due = after(clock.now(), prng.between(0, 300));
    timer.set(due);
  });
  timer.set(NEVER);
  timer.set(after(due, 100));
  timer.set(due);
  site.world.runUntil(60_000);
  assert.ok(fired > 100);
  timer.set(NEVER);
  const before = fired;
  site.world.runUntil(70_000);
  assert.equal(fired, before);
});

Deno.test("HostClock runs at a rate of its own within the drift allowed", () => {
  const rates = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const { clock } = host(makeSite(seed), 0);
    assert.ok(Math.abs(clock.rate - 1) <= 0.0005);
    rates.add(clock.rate);
    const at = after(clock.now(), 1234);
    assert.ok(Math.abs(clock.worldTime(at) - 1234 / clock.rate) < 0.001);
  }
  assert.equal(rates.size, 20);
});

Deno.test("SimHost tells a stopped daemon everything afterwards, and a dead one nothing", () => {
  const site = makeSite(6);
  const ports = host(site, 0).boot();
  const fired: number[] = [];
  const timer = ports.clock.timer(() => fired.push(site.world.now));
  timer.set(after(ports.clock.now(), 100));
  host(site, 0).pauseDaemon(500);
  site.world.runUntil(499);
  assert.deepEqual(fired, []);
  site.world.runUntil(501);
  assert.deepEqual(fired, [500]);
  timer.set(after(ports.clock.now(), 100));
  host(site, 0).crashDaemon();
  site.world.runUntil(2000);
  assert.deepEqual(fired, [500]);
});

Deno.test("SimHost.crashDaemonAfter() lets a crash fall between two effects", () => {
  const site = makeSite(7);
  const a = host(site, 0);
  const ports = a.boot();
  const got: number[] = [];
  host(site, 1).boot().udp.open("10.0.0.2:1", (_from, bytes) => got.push(bytes[0] ?? -1));
  const socket = ports.udp.open("10.0.0.1:1", () => {});
  let ends = 0;
  a.onEnd = () => ends++;
  a.crashDaemonAfter(2);
  for (let i = 0; i < 5; i++) socket.send("10.0.0.2:1", new Uint8Array([i]));
  assert.deepEqual([a.alive, ends], [false, 1]);
  site.world.runUntil(1000);
  assert.deepEqual(got.sort(), [0, 1]);
});

Deno.test("HostWatchdog resets the host of a daemon that stands still, and no other", () => {
  const site = makeSite(8, { watchdogLateMs: [0, 0], rebootMs: [5000, 5000] });
  const a = host(site, 0);
  const ends: string[] = [];
  let ups = 0;
  let pets = 0;
  a.onEnd = (how) => ends.push(`${how} at ${Math.round(site.world.now)}`);
  a.onUp = () => ups++;
  a.watchdog.onPet = () => pets++;
  const ports = a.boot();
  ports.process.guardUntil(instant(1e9));
  ports.process.start(SPEC, (failure) => assert.equal(failure, null));
  ports.watchdog.open(2000, (dog) => {
    const timer = ports.clock.timer(() => {
      dog?.pet();
      timer.set(after(ports.clock.now(), 400));
    });
    timer.set(ports.clock.now());
  });
  site.world.runUntil(10_000);
  assert.deepEqual([ends, a.powered], [[], true]);
  assert.ok(pets > 20);
  assert.equal(site.plant.running().get(WEB)?.size, 1);
  a.pauseDaemon(60_000);
  site.world.runUntil(12_100);
  assert.match(ends.join(), /^watchdog at 1(1[5-9]|20)\d\d$/);
  assert.deepEqual([a.powered, a.alive, ups], [false, false, 0]);
  assert.equal(site.plant.running().get(WEB)?.size, 0);
  site.world.runUntil(18_000);
  assert.deepEqual([a.powered, a.alive, ups], [true, false, 1]);
});

Deno.test("HostWatchdog bites after the daemon's death, but not once it was disarmed", () => {
  const site = makeSite(9);
  const ends: string[] = [];
  for (const [index, each] of site.hosts.entries()) {
    each.onEnd = (how) => ends.push(`${each.name} ${how}`);
    each.boot().watchdog.open(1000, (dog) => {
      if (index === 1) dog?.disarm();
    });
  }
  site.world.runUntil(500);
  for (const each of site.hosts) each.crashDaemon();
  site.world.runUntil(3000);
  assert.deepEqual(ends, ["a crash", "b crash", "a watchdog"]);
});

Deno.test("SimWatchdog gives null on a host without a watchdog", () => {
  const site = makeSite(10, { watchdogPresent: false });
  const got: unknown[] = [];
  host(site, 0).boot().watchdog.open(1000, (dog) => got.push(dog));
  site.world.runUntil(5000);
  assert.deepEqual([got, host(site, 0).powered], [[null], true]);
});
