/** The self-test of a disk, against a target that is honest and targets that are not. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { allows, apply, FRESH, type LunState, report } from "../../mod/host/linux/lun_state.ts";
import type { DiskFailure, DiskReport } from "../../mod/host/ports.ts";
import {
  type CheckAnswer,
  type CheckCall,
  checkDisk,
  type CheckResult,
  isInUse,
} from "../../mod/host/scsi/check.ts";

const KEYS = ["00000000000000a1", "00000000000000b2"] as const;
const NEXUS = { first: "1".repeat(16), second: "2".repeat(16) } as const;
const HUNG: DiskFailure = { failure: "hung", detail: "no answer" };
const UNSUPPORTED: DiskFailure = { failure: "unsupported", detail: "not there" };

/** A target in memory. */
class Target {
  state: LunState = FRESH;

  answer(call: CheckCall): CheckAnswer {
    const nexus = NEXUS[call.on];
    if (call.call === "command") {
      const next = apply(this.state, nexus, call.command);
      if ("failure" in next) return next;
      this.state = next;
      return null;
    }
    if (call.call === "inspect") return this.inspect();
    if (allows(this.state, nexus, "write")) return null;
    return { failure: "conflict", detail: "RESERVATION CONFLICT" };
  }

  inspect(): DiskReport {
    return {
      ...{ name: "naa.1", model: "", paths: ["/dev/sda"], compareBlocks: 1 },
      through: "SG_IO",
      state: report(this.state),
      capabilities: {
        ...{ allTargetPorts: false, initiatorPorts: false, persist: true, persistActive: true },
        types: null,
      },
      registrations: this.state.registrations.map(({ nexus, key }) => ({
        ...{ key, allTargetPorts: false, holds: null, targetPort: 1, initiatorPort: nexus },
      })),
      raw: { keys: null, reservation: null, capabilities: null, fullStatus: null },
    };
  }
}

function run(
  pair: boolean,
  answer: (call: CheckCall, at: number) => CheckAnswer,
): { readonly result: CheckResult; readonly calls: readonly CheckCall[] } {
  const check = checkDisk({ keys: KEYS, pair });
  const calls: CheckCall[] = [];
  let next = check.next();
  while (next.done !== true) {
    calls.push(next.value);
    assert.ok(calls.length < 100, "it ends");
    next = check.next(answer(next.value, calls.length));
  }
  return { result: next.value, calls };
}

function notSeen({ steps }: CheckResult): string[] {
  return steps.filter(({ seen }) => seen !== "yes").map(({ what }) => what);
}

Deno.test("checkDisk() proves an honest target, and takes everything away again", () => {
  const target = new Target();
  const { result } = run(true, (call) => target.answer(call));
  assert.equal(result.verdict, "fences");
  assert.deepEqual(notSeen(result), []);
  assert.equal(isInUse(target.inspect()), null);
});

Deno.test("checkDisk() through one way assumes nothing of what it cannot see", () => {
  const target = new Target();
  const { result, calls } = run(false, (call) => target.answer(call));
  assert.equal(result.verdict, "unproven");
  assert.ok(calls.every(({ on }) => on === "first"));
  assert.equal(result.steps.filter(({ seen }) => seen === "unseen").length, 5);
  assert.equal(isInUse(target.inspect()), null);
});

Deno.test("checkDisk() says what a target lacks, and whether it matters", () => {
  const table: readonly (readonly [
    string,
    (target: Target, call: CheckCall) => CheckAnswer,
    CheckResult["verdict"],
    RegExp,
  ])[] = [
    [
      "it enforces nothing",
      (target, call) => call.call === "tryWrite" ? null : target.answer(call),
      ...["cannot-fence", /refuses the writes of who is not registered/] as const,
    ],
    [
      "no PREEMPT AND ABORT",
      (target, call) =>
        call.call === "command" && call.command.kind === "preempt" && call.command.abort !== false
          ? UNSUPPORTED
          : target.answer(call),
      ...["fences", /PREEMPT AND ABORT/] as const,
    ],
    [
      "its PREEMPT does nothing",
      (target, call) =>
        call.call === "command" && call.command.kind === "preempt" ? null : target.answer(call),
      ...["cannot-fence", /PREEMPT takes a registration away/] as const,
    ],
    [
      "no reservations",
      (target, call) => call.call === "command" ? UNSUPPORTED : target.answer(call),
      ...["cannot-fence", /takes a registration/] as const,
    ],
    [
      "no RESERVE",
      (target, call) =>
        call.call === "command" && call.command.kind === "reserve"
          ? UNSUPPORTED
          : target.answer(call),
      ...["cannot-fence", /reserved for registrants only/] as const,
    ],
    ["it hangs", () => HUNG, ...["cannot-fence", /takes a registration/] as const],
  ];
  for (const [name, answer, verdict, what] of table) {
    const target = new Target();
    const { result } = run(true, (call) => answer(target, call));
    assert.equal(result.verdict, verdict, name);
    assert.ok(notSeen(result).some((step) => what.test(step)), `${name}: ${notSeen(result)}`);
  }
});

Deno.test("checkDisk() fences nothing by luck: any failure shows, and its keys go", () => {
  const faults = fc.array(fc.boolean(), { maxLength: 30 });
  fc.assert(fc.property(faults, fc.boolean(), (fails, pair) => {
    const target = new Target();
    const { result, calls } = run(pair, (call, at) => fails[at - 1] ? HUNG : target.answer(call));
    const failed = calls.some((_, at) => fails[at] === true);
    if (!failed) assert.equal(result.verdict, pair ? "fences" : "unproven");
    if (result.verdict === "fences") assert.equal(isInUse(target.inspect()), null);
    for (const [on, key] of [["first", KEYS[0]], ["second", KEYS[1]]] as const) {
      if (on === "second" && !pair) continue;
      assert.ok(
        calls.some((call) =>
          call.on === on && call.call === "command" && call.command.kind === "register" &&
          call.command.old === key && /^0+$/.test(call.command.key)
        ),
      );
    }
  }));
});

Deno.test("isInUse() names who is registered", () => {
  const target = new Target();
  assert.equal(isInUse(target.inspect()), null);
  target.answer({
    on: "second",
    call: "command",
    command: {
      kind: "register",
      ...{ old: null, key: KEYS[1] },
      ...{ persist: null, allTargetPorts: false, initiatorPorts: [] },
    },
  });
  assert.match(isInUse(target.inspect()) ?? "", /1 registrations are on it: 0x00000000000000b2/);
});
