import assert from "node:assert/strict";
import type { TcpConnection } from "../../mod/host/ports.ts";
import { type Counted, counted, host, makeSite } from "./fixture.ts";

function pair(seed: number, options = {}) {
  const site = makeSite(seed, options);
  const got: [string[], string[]] = [[], []];
  const sockets = site.hosts.map((each, index) =>
    each.boot().udp.open(`0.0.0.0:700`, (from, bytes) => got[index]?.push(`${from} ${bytes[0]}`))
  );
  const send = (from: number, to: string, byte: number) =>
    sockets[from]?.send(to, new Uint8Array([byte]));
  return { site, got, send };
}

Deno.test("SimUdp tells the sender's address of the link that was used", () => {
  const { site, got, send } = pair(1);
  send(0, "10.0.0.2:700", 1);
  site.world.runUntil(100);
  send(0, "10.1.0.2:700", 2);
  site.world.runUntil(200);
  send(0, "10.0.0.9:700", 3);
  send(0, "10.0.0.2:701", 4);
  site.world.runUntil(300);
  assert.deepEqual(got, [[], ["10.0.0.1:700 1", "10.1.0.1:700 2"]]);
});

Deno.test("SimUdp refuses addresses of others and those in use", () => {
  const { site } = pair(2);
  host(site, 0).crashDaemon();
  const { udp } = host(site, 0).boot();
  assert.throws(() => udp.open("10.0.0.2:700", () => {}), /cannot be bound/);
  const socket = udp.open("10.0.0.1:700", () => {});
  assert.throws(() => udp.open("0.0.0.0:700", () => {}), /cannot be bound/);
  socket.close();
  udp.open("0.0.0.0:700", () => {});
});

Deno.test("SimNetwork cuts one direction and one link alone, and heals all", () => {
  const { site, got, send } = pair(3);
  const all = () => {
    got[0].length = 0;
    got[1].length = 0;
    send(0, "10.0.0.2:700", 1);
    send(0, "10.1.0.2:700", 2);
    send(1, "10.0.0.1:700", 3);
    site.world.runUntil(site.world.now + 100);
    return `${got[0].length} ${got[1].length}`;
  };
  assert.equal(all(), "1 2");
  site.network.cut({ from: 0, to: 1 });
  assert.equal(all(), "1 0");
  site.network.mend({ from: 0, to: 1, link: 1 });
  assert.equal(all(), "1 1");
  site.network.partition([[0], [1]]);
  assert.equal(all(), "0 0");
  site.network.heal();
  assert.equal(all(), "1 2");
});

Deno.test("SimNetwork loses what is under way when the path is cut", () => {
  const { site, got, send } = pair(4, { netDelayMs: [10, 10] });
  send(0, "10.0.0.2:700", 1);
  site.world.runUntil(5);
  site.network.cut({ from: 0, to: 1 });
  site.world.runUntil(100);
  assert.deepEqual(got[1], []);
});

Deno.test("SimNetwork loses, doubles, replays and reorders as often as it is told", () => {
  const { site, got, send } = pair(5, {
    netLoss: 0.2,
    netDuplicate: 0.1,
    netReplay: 0.1,
    netReplayMs: [1000, 2000],
    netDelayMs: [0, 50],
  });
  const count = 2000;
  for (let i = 0; i < count; i++) {
    site.world.at(i, () => send(0, "10.0.0.2:700", i % 256));
  }
  site.world.runUntil(10_000);
  const arrived = got[1].length / count;
  assert.ok(arrived > 0.9 && arrived < 1.02, `${arrived} arrive for each`);
  const numbers = got[1].map((each) => Number(each.split(" ")[1]));
  assert.ok(numbers.some((each, i) => i > 0 && each < (numbers[i - 1] ?? 0)));
});

/** Host 0 connects to host 1; both ends count. */
function connected(seed: number, options = {}) {
  const site = makeSite(seed, options);
  const [a, b] = [host(site, 0).boot(), host(site, 1).boot()];
  const near = counted();
  const far = counted();
  const accepted: TcpConnection[] = [];
  b.tcp.listen("0.0.0.0:800", (connection) => {
    accepted.push(connection);
    return far;
  });
  const connection = a.tcp.connect("10.0.0.2:800", near);
  assert.equal(near.opens + near.closes, 0, "nothing is told within connect()");
  site.world.runUntil(100);
  assert.deepEqual([near.opens, accepted.length], [1, 1]);
  return { site, near, far, connection, accepted };
}

function stream(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i) % 251);
}

function assertInOrder(events: Counted, length: number): void {
  assert.deepEqual(events.bytes.length, length);
  assert.ok(events.bytes.every((byte, i) => byte === i % 251));
}

Deno.test("SimTcp carries bytes in order through loss, splitting and joining", () => {
  const wild = { netLoss: 0.1, tcpSplit: 0.5, tcpJoin: 0.5, netDelayMs: [0, 30] };
  const { site, far, connection } = connected(6, wild);
  let sent = 0;
  for (let i = 0; i < 300; i++) {
    site.world.after(i * 3, () => {
      connection.write(stream(sent, i % 97 + 1));
      sent += i % 97 + 1;
    });
  }
  site.world.runUntil(60_000);
  assertInOrder(far, sent);
  assert.equal(connection.queued(), 0);
});

Deno.test("SimTcp stalls in a cut that is short, and goes on", () => {
  const { site, near, far, connection } = connected(7);
  site.network.partition([[0], [1]]);
  connection.write(stream(0, 300_000));
  assert.ok(connection.queued() > 200_000);
  site.world.runUntil(900);
  assert.equal(far.bytes.length, 0);
  site.network.heal();
  site.world.runUntil(20_000);
  assertInOrder(far, 300_000);
  assert.deepEqual([near.closes, far.closes, connection.queued()], [0, 0, 0]);
});

Deno.test("SimTcp closes each side exactly once in a cut that lasts, even one-way", () => {
  for (const way of [{ from: 0, to: 1 }, { from: 1, to: 0 }]) {
    const { site, near, far, connection } = connected(8);
    site.network.cut(way);
    connection.write(stream(0, 10));
    site.world.runUntil(1000);
    assert.deepEqual([near.closes, far.closes], [0, 0]);
    site.world.runUntil(5200);
    assert.deepEqual([near.closes, far.closes], [1, 1]);
    site.network.heal();
    site.world.runUntil(60_000);
    assert.deepEqual([near.closes, far.closes], [1, 1]);
  }
});

Deno.test("SimTcp tells a refusal and an absent host by onClose, once and later", () => {
  const site = makeSite(9);
  const a = host(site, 0).boot();
  host(site, 1).powerCut(null);
  const refused = counted();
  const absent = counted();
  const nowhere = counted();
  a.tcp.connect("10.0.0.1:801", refused);
  a.tcp.connect("10.0.0.2:801", absent);
  a.tcp.connect("10.0.0.9:801", nowhere);
  assert.deepEqual([refused, absent, nowhere].map(({ closes }) => closes), [0, 0, 0]);
  site.world.runUntil(100);
  assert.deepEqual([refused, absent, nowhere].map(({ closes }) => closes), [1, 0, 1]);
  site.world.runUntil(60_000);
  assert.deepEqual([refused, absent, nowhere].map(({ closes }) => closes), [1, 1, 1]);
});

Deno.test("SimTcp closes both sides when one closes, and tells the closer too", () => {
  const { site, near, far, connection, accepted } = connected(10, { tcpCloseLoses: 0 });
  connection.write(stream(0, 1000));
  connection.close();
  connection.close();
  assert.equal(near.closes, 0, "nothing is told within close()");
  site.world.runUntil(1000);
  assertInOrder(far, 1000);
  accepted[0]?.write(stream(0, 5));
  accepted[0]?.close();
  site.world.runUntil(60_000);
  assert.deepEqual([near.closes, far.closes, near.bytes.length], [1, 1, 0]);
});

Deno.test("SimTcp closes a peer's side at once when a daemon dies, late when a host does", () => {
  const daemon = connected(11);
  host(daemon.site, 1).crashDaemon();
  daemon.site.world.runUntil(200);
  assert.deepEqual([daemon.near.closes, daemon.far.closes], [1, 0]);
  const power = connected(11);
  host(power.site, 1).powerCut(null);
  power.site.world.runUntil(1000);
  assert.deepEqual([power.near.closes, power.far.closes], [0, 0]);
  power.site.world.runUntil(10_000);
  assert.deepEqual([power.near.closes, power.far.closes], [1, 0]);
});

Deno.test("SimTcp keeps bytes and the end for a daemon that is stopped, in order", () => {
  const { site, far, connection } = connected(12, { tcpCloseLoses: 0 });
  host(site, 1).pauseDaemon(3000);
  connection.write(stream(0, 100));
  site.world.runUntil(1000);
  connection.close();
  site.world.runUntil(3000);
  assert.deepEqual([far.bytes.length, far.closes], [0, 0]);
  site.world.runUntil(4000);
  assertInOrder(far, 100);
  assert.equal(far.closes, 1);
});
