import assert from "node:assert/strict";
import type { HeartbeatEvent } from "../../mod/heartbeat/events.ts";
import { UdpDriver } from "../../mod/heartbeat/udp_driver.ts";
import type { UdpPort } from "../../mod/host/ports.ts";

/** Sockets that note what is done to them; `refused` cannot be bound. */
function fakeUdp(refused = "") {
  const noted: string[] = [];
  const receive = new Map<string, (from: string, bytes: Uint8Array) => void>();
  const port: UdpPort = {
    open(local, onPacket) {
      if (local === refused) throw new Error(`${local} is taken`);
      receive.set(local, onPacket);
      return {
        send: (to, bytes) => noted.push(`${local} → ${to}: ${bytes.length}`),
        close: () => noted.push(`${local} closed`),
      };
    },
  };
  return { port, noted, receive };
}

Deno.test("UdpDriver gives each link its socket, both ways", () => {
  const { port, noted, receive } = fakeUdp();
  const events: HeartbeatEvent[] = [];
  const driver = new UdpDriver(port, ["a:1", "b:2"], (event) => events.push(event));
  const bytes = new Uint8Array(3);
  driver.perform({ kind: "datagram", link: 1, to: "peer:2", bytes });
  driver.perform({ kind: "datagram", link: 2, to: "peer:3", bytes });
  receive.get("b:2")?.("stranger:9", bytes);
  driver.close();
  assert.deepEqual(noted, ["b:2 → peer:2: 3", "a:1 closed", "b:2 closed"]);
  assert.deepEqual(events, [{ kind: "datagram", link: 1, bytes }]);
});

Deno.test("UdpDriver closes what it opened where one address cannot be bound", () => {
  const { port, noted } = fakeUdp("b:2");
  assert.throws(() => new UdpDriver(port, ["a:1", "b:2"], () => {}), /b:2 is taken/);
  assert.deepEqual(noted, ["a:1 closed"]);
});
