import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import type { Disk, TcpConnection } from "../../mod/host/ports.ts";
import { type Counted, counted, host, makeSite, openDisk } from "./fixture.ts";

const SEEDS = 60;
const STEPS = 60;
const PATH = "/dev/shared";
const STATES = ["ok", "hung", "failing"] as const;

function call(disk: Disk, prng: Prng, done: () => void): void {
  const key = "00000000000000a1";
  switch (prng.between(0, 5)) {
    case 0:
      return disk.read(0, 4096, done);
    case 1:
      return disk.write(prng.between(0, 3) * 4096, prng.bytes(4096), done);
    case 2:
      return disk.register(key, done);
    case 3:
      return disk.reserve(key, 5, done);
    case 4:
      return disk.preempt({ key, victim: key, type: 5 }, done);
    case 5:
      return disk.readReservations(done);
  }
}

Deno.test("SimDisks answers each call of a living daemon exactly once, whatever happens", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const prng = new Prng(seed);
    const site = makeSite(seed);
    site.disks.make(PATH, 4 * 4096);
    const ports = host(site, 0).boot();
    let disk = openDisk(site, ports, PATH);
    const answers: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      const number = answers.push(0) - 1;
      call(disk, prng, () => answers[number] = (answers[number] ?? 0) + 1);
      assert.equal(answers[number], 0, "nothing is told within a call");
      if (prng.chance(0.3)) site.disks.setPath(0, PATH, prng.pick(STATES) ?? "ok");
      if (prng.chance(0.1)) host(site, 0).pauseDaemon(prng.between(1, 50));
      if (prng.chance(0.05)) {
        disk.close();
        site.disks.heal();
        site.world.runUntil(site.world.now + 60);
        disk = openDisk(site, ports, PATH);
      }
      site.world.runUntil(site.world.now + prng.between(0, 10));
    }
    site.disks.heal();
    site.world.runUntil(site.world.now + 60_000);
    assert.ok(answers.every((count) => count === 1), `seed ${seed}: ${answers.join("")}`);
  }
});

Deno.test("SimDisks tells a dead daemon nothing, and ends what it left", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const prng = new Prng(seed);
    const site = makeSite(seed);
    site.disks.make(PATH, 4 * 4096);
    const disk = openDisk(site, host(site, 0).boot(), PATH);
    let dead = false;
    for (let i = 0; i < 5; i++) call(disk, prng, () => assert.equal(dead, false));
    if (prng.chance(0.5)) site.disks.setPath(0, PATH, prng.pick(STATES) ?? "ok");
    site.world.runUntil(site.world.now + prng.between(0, 10));
    dead = true;
    if (prng.chance(0.5)) host(site, 0).crashDaemon();
    else host(site, 0).powerCut(null);
    site.world.runUntil(site.world.now + 100);
    site.disks.heal();
    site.world.runUntil(site.world.now + 60_000);
    assert.equal(site.world.pending, 0, `seed ${seed}: nothing is under way any more`);
  }
});

/** What was written is the numbers from 0; what was read must be their beginning. */
function assertBeginning(events: Counted, sent: number, seed: number): void {
  assert.ok(events.bytes.length <= sent, `seed ${seed}`);
  assert.ok(events.bytes.every((byte, i) => byte === i % 251), `seed ${seed}: in order`);
  assert.ok(events.closes <= 1, `seed ${seed}: closed at most once`);
}

Deno.test("SimTcp leaves no connection half open, and loses only the end of what was sent", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const prng = new Prng(seed);
    const site = makeSite(seed, { netLoss: 0.05, tcpSplit: 0.3, tcpJoin: 0.3 });
    const near = counted();
    const far = counted();
    const ends: TcpConnection[] = [];
    host(site, 1).boot().tcp.listen("0.0.0.0:800", (connection) => {
      ends.push(connection);
      return far;
    });
    const client = host(site, 0).boot().tcp.connect("10.0.0.2:800", near);
    let sent = 0;
    for (let i = 0; i < STEPS; i++) {
      const length = prng.between(1, 300);
      if (near.opens === 1 && near.closes === 0) {
        client.write(Uint8Array.from({ length }, (_, at) => (sent + at) % 251));
        sent += length;
      }
      const way = prng.chance(0.5) ? { from: 0, to: 1 } : { from: 1, to: 0 };
      if (prng.chance(0.1)) site.network.cut(way);
      if (prng.chance(0.1)) site.network.heal();
      if (prng.chance(0.05)) host(site, prng.between(0, 1)).pauseDaemon(prng.between(1, 3000));
      if (prng.chance(0.01)) client.close();
      if (prng.chance(0.01)) ends[0]?.close();
      if (prng.chance(0.005)) host(site, prng.between(0, 1)).crashDaemon();
      if (prng.chance(0.005)) host(site, prng.between(0, 1)).powerCut();
      site.world.runUntil(site.world.now + prng.between(0, 400));
    }
    site.network.heal();
    site.world.runUntil(site.world.now + 60_000);
    assertBeginning(far, sent, seed);
    assertBeginning(near, 0, seed);
    const alive = site.hosts.map((each) => each.alive);
    const open = near.opens === 1 && near.closes === 0;
    assert.equal(site.tcp.connections, open && far.closes === 0 && alive[0] && alive[1] ? 1 : 0);
    if (alive[0] && site.tcp.connections === 0) assert.equal(near.closes, 1, `seed ${seed}`);
    if (alive[1] && ends.length > 0) {
      assert.equal(far.closes, 1 - site.tcp.connections, `seed ${seed}`);
    }
  }
});
