import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { after, type Instant, NEVER } from "../../mod/base/time.ts";
import type { Ports } from "../../mod/host/ports.ts";
import type { SimSite, WorldOptions } from "../../mod/sim/mod.ts";
import { ask, host, makeSite, SPEC, WEB } from "./fixture.ts";

const GUARD_MS = 1000;
/** Lateness of the keeper, and of the kill. */
const LATE_MS = 100;

function runs(site: SimSite): number {
  return site.plant.running().get(WEB)?.size ?? 0;
}

/** Host 0 with a resource that runs under a guard of a second. */
function guarded(seed: number, options: Partial<WorldOptions> = {}) {
  const site = makeSite(seed, options);
  const a = host(site, 0);
  const ports = a.boot();
  const exits: string[] = [];
  ports.process.onExit((id, how) => exits.push(`${id} ${how}`));
  const until = after(ports.clock.now(), GUARD_MS);
  ports.process.guardUntil(until);
  const started = start(site, ports);
  assert.deepEqual([started, runs(site)], ["null", 1]);
  return { site, a, ports, until, exits };
}

function start(site: SimSite, ports: Ports): string {
  return ask(site, (done) => ports.process.start(SPEC, (failure) => done(String(failure))));
}

Deno.test("HostKeeper refuses a start before a first guard, and after the last one's end", () => {
  const site = makeSite(1);
  const a = host(site, 0);
  const ports = a.boot();
  assert.match(start(site, ports), /guard/);
  ports.process.guardUntil(after(ports.clock.now(), GUARD_MS));
  site.world.runUntil(site.world.now + 2 * GUARD_MS);
  assert.match(start(site, ports), /guard/);
  ports.process.guardUntil(after(ports.clock.now(), GUARD_MS));
  site.world.runUntil(site.world.now + LATE_MS);
  assert.equal(start(site, ports), "null");
});

Deno.test("HostKeeper kills at the end of the guard while the daemon is stopped or dead", () => {
  for (const how of ["paused", "dead", "silent"]) {
    for (let seed = 0; seed < 10; seed++) {
      const { site, a, exits } = guarded(seed);
      if (how === "paused") a.pauseDaemon(10_000);
      if (how === "dead") a.crashDaemon();
      site.world.runUntil(GUARD_MS * 0.99);
      assert.equal(runs(site), 1, `${how}: not before the end`);
      site.world.runUntil(GUARD_MS * 1.01 + LATE_MS);
      assert.equal(runs(site), 0, `${how}: soon after the end`);
      assert.equal(exits.length, how === "silent" ? 1 : 0);
      site.world.runUntil(20_000);
      assert.equal(exits.length, how === "dead" ? 0 : 1);
    }
  }
});

Deno.test("HostKeeper heeds a guard that was told in time, and kills for one that was not", () => {
  const { site, ports, until } = guarded(2, { keeperLateMs: [20, 20] });
  const { clock, process: port } = ports;
  site.world.runUntil(900);
  port.guardUntil(after(clock.now(), GUARD_MS));
  site.world.runUntil(1800);
  assert.ok(clock.now() > until);
  assert.equal(runs(site), 1);
  // After the end, but before the keeper has acted on it.
  site.world.runUntil(1915);
  assert.equal(runs(site), 1);
  port.guardUntil(NEVER);
  site.world.runUntil(1915 + LATE_MS);
  assert.equal(runs(site), 0);
  assert.equal(start(site, ports), "null");
});

Deno.test("HostKeeper measures the guard in the host's own time", () => {
  const ends: number[] = [];
  for (const seed of [1, 2, 3]) {
    const site = makeSite(seed, { clockRate: 0.2, keeperLateMs: [0, 0], processKillMs: [0, 0] });
    const a = host(site, 0);
    const ports = a.boot();
    const until: Instant = after(ports.clock.now(), 10_000);
    ports.process.guardUntil(until);
    start(site, ports);
    site.plant.onChange((_id, _host, running) => {
      if (running) return;
      ends.push(site.world.now);
      assert.ok(Math.abs(ports.clock.now() - until) < 0.01);
    });
    site.world.runUntil(20_000);
  }
  assert.equal(new Set(ends.map(Math.round)).size, 3);
});

Deno.test("SimPlant tells two hosts that run one resource", () => {
  const site = makeSite(3);
  const changes: string[] = [];
  site.plant.onChange((id, each, running) => changes.push(`${id} ${each} ${running}`));
  for (const each of site.hosts) {
    const ports = each.boot();
    ports.process.guardUntil(after(ports.clock.now(), GUARD_MS));
    assert.equal(start(site, ports), "null");
  }
  assert.deepEqual([...site.plant.running().get(WEB) ?? []], [0, 1]);
  host(site, 0).powerCut(null);
  assert.deepEqual([...site.plant.running().get(WEB) ?? []], [1]);
  assert.deepEqual(changes, [`${WEB} 0 true`, `${WEB} 1 true`, `${WEB} 0 false`]);
});

Deno.test("SimPlant.crashProcess() ends a process, and the daemon hears of it", () => {
  const { site, exits } = guarded(4);
  site.plant.crashProcess(WEB);
  assert.equal(runs(site), 0);
  site.world.runUntil(site.world.now + 100);
  assert.deepEqual(exits, [`${WEB} SIGSEGV`]);
});

Deno.test("SimProcesses kills what heeds no SIGTERM at the end of the grace", () => {
  const { site, ports, exits } = guarded(5, { processStopHangs: 1 });
  ports.process.guardUntil(NEVER);
  const begin = site.world.now;
  const failure = ask(
    site,
    (done) => ports.process.stop(WEB, 5000, (each) => done(String(each))),
  );
  assert.deepEqual([failure, runs(site), exits], ["null", 0, []]);
  const took = site.world.now - begin;
  assert.ok(took >= 4990 && took <= 5100, `${took}`);
});

Deno.test("SimProcesses launches nothing that was asked before a kill of everything", () => {
  const { site, ports } = guarded(6, { processStartMs: [40, 40] });
  const mail = { ...SPEC, id: resourceId("exec:mail") };
  const answers: (string | null)[] = [];
  ports.process.start(mail, (failure) => answers.push(failure));
  site.world.runUntil(site.world.now + 15);
  const killed = ask(site, (done) => ports.process.killAll((each) => done(String(each))));
  assert.equal(killed, "null");
  site.world.runUntil(site.world.now + 200);
  assert.deepEqual(answers, ["Everything is being killed"]);
  const list = ask(site, (done) => ports.process.list(done));
  assert.deepEqual(list, []);
});

Deno.test("SimProcesses tells a monitor's failure while the resource is sick", () => {
  const { site, ports } = guarded(7);
  const health = () =>
    ask(
      site,
      (done) => ports.process.monitor({ id: WEB, command: ["true"], timeoutMs: 1000 }, done),
    );
  assert.deepEqual(health(), { state: "running" });
  site.plant.sicken(WEB, 0, "port 80 is closed");
  assert.deepEqual(health(), { state: "failed", why: "port 80 is closed" });
  site.plant.sicken(WEB, 0, null);
  assert.deepEqual(health(), { state: "running" });
});
