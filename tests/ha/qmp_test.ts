/** QEMU's monitor as a peer: in its own words, cut anywhere, and hostile. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { instant, NEVER } from "../../mod/base/time.ts";
import { QMP_LINE_MAX, QMP_STRAY_MAX, QmpReader, statusIn } from "../../mod/ha/agents/qmp.ts";
import { type QmpResult, talk } from "../../mod/ha/agents/qmp_talk.ts";
import type { TcpEvents } from "../../mod/host/ports.ts";

const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}\r\n';
function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A conversation with a monitor that answers as it is told to. */
class Monitor {
  readonly said: string[] = [];
  result: QmpResult | null = null;
  closed = false;
  #events: TcpEvents | null = null;
  #fire: () => void = () => {};

  constructor(...execute: string[]) {
    const connect = (_path: string, events: TcpEvents) => {
      this.#events = events;
      return {
        write: (data: Uint8Array) => void this.said.push(new TextDecoder().decode(data).trim()),
        queued: () => 0,
        close: () => void (this.closed = true),
      };
    };
    const none = () => null;
    const guest = {
      ...{ connect, bridgeFault: none, attach: none, kvm: () => false },
      socketsOf: () => "",
      processor: () => "",
      keepKey: () => "/",
      forgetKey: () => {},
    };
    const timer = (fire: () => void) => {
      this.#fire = fire;
      return { set: (at: number) => void (at === NEVER ? this.#fire = () => {} : null) };
    };
    const clock = { now: () => instant(0), wallSeconds: () => 0, timer };
    const commands = execute.map((each) => ({ execute: each }));
    talk({ guest, clock }, { path: "x", commands, limitMs: 1000 }, (result) => {
      assert.equal(this.result, null, "it is told once");
      this.result = result;
    });
  }

  says(text: string): void {
    this.#events?.onData(bytes(text));
  }

  hangsUp(): void {
    this.#events?.onClose();
  }

  isLate(): void {
    this.#fire();
  }
}

Deno.test("commands are said one by one, each after the answer to the one before", () => {
  const monitor = new Monitor("stop", "query-status");
  assert.deepEqual(monitor.said, []);
  monitor.says(GREETING.slice(0, 9));
  monitor.says(GREETING.slice(9));
  assert.deepEqual(monitor.said, ['{"execute":"qmp_capabilities","id":1}']);
  monitor.says('{"return": {}, "id": 1}\r\n{"event": "STOP", "data": {}}\r\n');
  assert.equal(monitor.said.at(-1), '{"execute":"stop","id":2}');
  monitor.says('{"return": {}, "id": 2}\r\n');
  monitor.says('{"return": {"status": "paused"}, "id": 3}\r\n');
  assert.deepEqual(monitor.result, { answers: [{}, { status: "paused" }] });
  assert.ok(monitor.closed);
});

for (
  const [name, act, why] of [
    ["does not listen", (m: Monitor) => m.hangsUp(), /does not listen/],
    ["is silent", (m: Monitor) => m.isLate(), /does not answer/],
    ["hangs up", (m: Monitor) => (m.says(GREETING), m.hangsUp()), /hung up/],
    ["speaks otherwise", (m: Monitor) => m.says("SSH-2.0\n"), /no message of QMP/],
    ["says no object", (m: Monitor) => m.says("[1]\n"), /no message of QMP/],
    ["never ends a line", (m: Monitor) => m.says("x".repeat(QMP_LINE_MAX + 1)), /without an end/],
    ["says a long line", (m: Monitor) => m.says(`"${"x".repeat(QMP_LINE_MAX)}"\n`), /no message/],
    ["says too much", (m: Monitor) => m.says("{}\n".repeat(QMP_STRAY_MAX + 2)), /too much/],
    [
      "talks of other things",
      (m: Monitor) => {
        for (let at = 0; at <= QMP_STRAY_MAX; at++) m.says('{"event":"X"}\n');
      },
      /everything but/,
    ],
    [
      "refuses",
      (m: Monitor) => m.says(`${GREETING}{"error":{"class":"E","desc":"busy"},"id":1}\n`),
      /refuses qmp_capabilities: busy/,
    ],
  ] as const
) {
  Deno.test(`a monitor that ${name} is a failure with its reason`, () => {
    const monitor = new Monitor("query-status");
    act(monitor);
    assert.ok(monitor.result !== null && "why" in monitor.result);
    assert.match(monitor.result.why, why);
    assert.equal(monitor.result.absent, name === "does not listen");
    // What comes afterwards changes nothing.
    monitor.says(GREETING);
    monitor.hangsUp();
  });
}

Deno.test("no bytes make reading throw, and messages are the same however they are cut", () => {
  const message = fc.constantFrom(
    ...[GREETING, '{"return":{},"id":1}\n', '{"id":2,"error":{}}\n', "{}\n", "null\n", "\u00ff\n"],
  );
  fc.assert(fc.property(fc.array(message), fc.array(fc.nat(40)), (messages, cuts) => {
    const all = bytes(messages.join(""));
    const whole = new QmpReader().read(all);
    const reader = new QmpReader();
    const pieces: unknown[] = [];
    let fault: string | null = null;
    let at = 0;
    for (const cut of [...cuts, all.length]) {
      const read: ReturnType<QmpReader["read"]> = reader.read(all.subarray(at, at + cut));
      at += cut;
      if (typeof read === "string") {
        fault = read;
        break;
      }
      pieces.push(...read);
    }
    if (typeof whole === "string") assert.equal(fault, whole);
    else assert.deepEqual(pieces, whole);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
    new QmpReader().read(noise);
  }));
  assert.equal(statusIn({ status: "running" }), "running");
  for (const odd of [null, 1, {}, { status: 1 }, { status: "X\n" }]) {
    assert.equal(statusIn(odd), null);
  }
});

Deno.test("an error whose words are no words ends the talk, and not the daemon", () => {
  for (
    const desc of ['{"toString":1,"valueOf":1}', `${"[".repeat(3000)}${"]".repeat(3000)}`, "7"]
  ) {
    const monitor = new Monitor("stop");
    monitor.says(GREETING);
    monitor.says(`{"error": {"desc": ${desc}}, "id": 1}\n`);
    assert.ok(monitor.result !== null && "why" in monitor.result);
    assert.match(monitor.result.why, /refuses qmp_capabilities|no message of QMP/);
  }
});
