/** How commands end: status, sense, what is tried again and what never is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../mod/base/bytes.ts";
import { type ScsiCommand, testUnitReady } from "../../mod/host/scsi/command.ts";
import { ATTENTIONS_MAX, BUSY_PAUSES_MS, execute } from "../../mod/host/scsi/execute.ts";
import { type Completion, failureOf, outcomeOf, outcomeText } from "../../mod/host/scsi/outcome.ts";
import { prEnd, prType, scsiType } from "../../mod/host/scsi/pr_ioctl.ts";
import { decodeSense, senseText } from "../../mod/host/scsi/sense.ts";

function fixed(key: number, code: number, qualifier: number): Uint8Array {
  return new Uint8Array([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0]);
}

function ended(parts: Partial<Completion>): Completion {
  const empty = new Uint8Array(0);
  return { status: 0, hostStatus: 0, driverStatus: 0, sense: empty, data: empty, ...parts };
}

function check(key: number, code: number, qualifier: number): Completion {
  // DRIVER_SENSE comes along on kernels up to 6.1, and is no failure.
  return ended({ status: 2, driverStatus: 8, sense: fixed(key, code, qualifier) });
}

const GOOD = ended({});
const ATTENTION = check(6, 0x29, 0);

Deno.test("decodeSense() reads both formats, and calls nothing else sense", () => {
  const table: readonly (readonly [string, string | null])[] = [
    ["70 00 06 00000000 0a 00000000 2a05 0000 0000", "6/42/5 false"],
    ["f0 00 05 00000000 0a 00000000 2400 0000 0000", "5/36/0 false"],
    ["71 00 03 00000000 0a 00000000 1100 0000 0000", "3/17/0 true"],
    ["72 06 2a 05 000000 00", "6/42/5 false"],
    ["73 0b 47 01 000000 00", "11/71/1 true"],
    // Shorter than its codes: there are none. The length of the sense data counts, not the buffer's.
    ["70 00 06 00000000 00 00000000 2a05 0000", "6/0/0 false"],
    ["70 00 06", "6/0/0 false"],
    ["70 00", null],
    ["72 06 2a", null],
    ["", null],
    ["00 00 06 00000000 0a 00000000 2a05", null],
    ["7f 00 06 00000000 0a 00000000 2a05", null],
  ];
  for (const [bytes, expected] of table) {
    const sense = decodeSense(fromHex(bytes.replaceAll(" ", "")) ?? assert.fail());
    const text = sense && `${sense.key}/${sense.code}/${sense.qualifier} ${sense.deferred}`;
    assert.equal(text, expected, bytes);
  }
  const sense = decodeSense(fixed(6, 0x2a, 5)) ?? assert.fail();
  assert.equal(senseText(sense), "unit attention 06/2a/05: registrations were preempted");
});

Deno.test("outcomeOf() is a total function of three numbers and the sense bytes", () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const word = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(
      byte,
      word,
      word,
      fc.uint8Array({ maxLength: 64 }),
      (status, host, driver, sense) => {
        const outcome = outcomeOf(ended({ status, hostStatus: host, driverStatus: driver, sense }));
        assert.notEqual(outcomeText(outcome), "");
        const carried = status === 0 || status === 4 ||
          (status === 2 && (sense[2] ?? 0) % 16 === 1) ||
          (status === 2 && sense[1] !== undefined && sense[1] % 16 === 1);
        const clean = host === 0 || (status === 2 && (host === 0x10 || host === 0x13));
        if (outcome.end === "good") assert.ok(clean && carried, "nothing is good by mistake");
        else assert.notEqual(failureOf(outcome, "X").detail, "");
      },
    ),
  );
});

Deno.test("a reservation conflict carries no sense, and its data is not to be believed", () => {
  const data = new Uint8Array([1, 2, 3]);
  assert.deepEqual(outcomeOf(ended({ status: 0x18, data })), { end: "conflict" });
  assert.deepEqual(outcomeOf(ended({ status: 0, hostStatus: 0x11 })), { end: "conflict" });
  assert.equal(failureOf({ end: "conflict" }, "RESERVE").failure, "conflict");
});

Deno.test("failures are told apart: unsupported, conflict, absent, denied, anything else", () => {
  const table: readonly (readonly [Completion, string])[] = [
    [check(5, 0x20, 0), "unsupported"],
    [check(5, 0x24, 0), "unsupported"],
    [check(5, 0x25, 0), "absent"],
    [check(5, 0x26, 0), "io"],
    [check(5, 0x26, 4), "conflict"],
    [check(5, 0x55, 4), "io"],
    [check(2, 0x08, 0), "conflict"],
    [check(2, 0x04, 0x0c), "io"],
    [check(6, 0x2a, 5), "conflict"],
    [check(6, 0x2a, 3), "conflict"],
    [check(6, 0x29, 0), "io"],
    [check(7, 0x27, 0), "denied"],
    [{ ...check(5, 0x20, 0), hostStatus: 0x10 }, "unsupported"],
    [{ ...check(5, 0x20, 0), hostStatus: 0x03 }, "io"],
    [ended({ hostStatus: 1 }), "io"],
    [ended({ status: 0x40 }), "io"],
    [ended({ status: 2 }), "io"],
    [ended({ driverStatus: 6 }), "io"],
  ];
  for (const [completion, failure] of table) {
    const outcome = outcomeOf(completion);
    assert.ok(outcome.end !== "good");
    assert.equal(failureOf(outcome, "X").failure, failure, outcomeText(outcome));
  }
});

/** Answers in turn; the last one for ever. */
function target(...answers: readonly Completion[]) {
  const sent: ScsiCommand[] = [];
  const paused: number[] = [];
  const sender = {
    send: (command: ScsiCommand) => {
      sent.push(command);
      return answers[Math.min(sent.length, answers.length) - 1] ?? GOOD;
    },
    pause: (ms: number) => void paused.push(ms),
  };
  return { sent, paused, sender };
}

Deno.test("execute() sends again what a unit attention kept from being executed", () => {
  const { sent, sender, paused } = target(ATTENTION, check(6, 0x2a, 5), GOOD);
  const { outcome, attentions } = execute(sender, testUnitReady());
  assert.equal(outcome.end, "good");
  assert.deepEqual(attentions.map(({ code }) => code), [0x29, 0x2a]);
  assert.equal(sent.length, 3);
  assert.deepEqual(paused, []);
});

Deno.test("execute() registers no more after word of an ejection", () => {
  for (const qualifier of [3, 5]) {
    const { sent, sender } = target(check(6, 0x2a, qualifier), GOOD);
    const { outcome } = execute(sender, testUnitReady(), { registers: true });
    assert.equal(sent.length, 1);
    assert.ok(outcome.end === "sense");
    assert.equal(failureOf(outcome, "REGISTER").failure, "conflict");
  }
  const other = target(ATTENTION, check(6, 0x2a, 4), GOOD);
  assert.equal(execute(other.sender, testUnitReady(), { registers: true }).outcome.end, "good");
});

Deno.test("execute() is bounded, whatever a target says for ever", () => {
  const attentive = target(ATTENTION);
  assert.equal(execute(attentive.sender, testUnitReady()).outcome.end, "sense");
  assert.equal(attentive.sent.length, ATTENTIONS_MAX + 1);
  for (
    const busy of [ended({ status: 8 }), ended({ status: 0x28 }), check(2, 4, 1), check(2, 4, 10)]
  ) {
    const { sent, sender, paused } = target(busy);
    assert.notEqual(execute(sender, testUnitReady()).outcome.end, "good");
    assert.equal(sent.length, BUSY_PAUSES_MS.length + 1);
    assert.deepEqual(paused, BUSY_PAUSES_MS);
  }
  const answers = [GOOD, ATTENTION, ended({ status: 8 }), ended({ status: 0x18 }), check(2, 4, 1)];
  fc.assert(fc.property(fc.array(fc.constantFrom(...answers), { minLength: 1 }), (script) => {
    const { sent, sender } = target(...script);
    execute(sender, testUnitReady());
    assert.ok(sent.length <= ATTENTIONS_MAX + BUSY_PAUSES_MS.length + 2);
  }));
});

Deno.test("execute() never sends again what may have been executed", () => {
  for (
    const lost of [ended({ hostStatus: 3 }), ended({ hostStatus: 0xe }), ended({ status: 0x40 })]
  ) {
    const { sent, sender } = target(lost, GOOD);
    assert.equal(execute(sender, testUnitReady()).outcome.end, "lost");
    assert.equal(sent.length, 1);
  }
  const { sent, sender } = target(ended({ status: 0x18 }), GOOD);
  assert.equal(execute(sender, testUnitReady()).outcome.end, "conflict");
  assert.equal(sent.length, 1);
});

Deno.test("prEnd() takes no positive status for a success, and 118h for the conflict it is", () => {
  assert.deepEqual(prEnd(0, 0), { end: "done" });
  for (const result of [0x18, 0x118, 0x218]) {
    assert.deepEqual(prEnd(result, 0), { end: "conflict" });
  }
  assert.deepEqual(prEnd(-1, 22), { end: "errno", errno: 22 });
  for (const result of [0x2, 0xe0000, 0xf0000, 0x10000, 0x1]) {
    assert.equal(prEnd(result, 0).end, "failed", result.toString(16));
  }
  fc.assert(fc.property(fc.integer({ min: -0x80000000, max: 0x7fffffff }), (result) => {
    assert.equal(prEnd(result, 5).end === "done", result === 0);
  }));
});

Deno.test("the block layer's types are other numbers than SCSI's", () => {
  const pairs = [[1, 1], [2, 3], [3, 5], [4, 6], [5, 7], [6, 8]] as const;
  for (const [pr, scsi] of pairs) {
    assert.equal(prType(scsi), pr);
    assert.equal(scsiType(pr), scsi);
  }
  for (const none of [0, 7, -1]) assert.equal(scsiType(none), null);
});

Deno.test("decodeSense() reads what sg_decode_sense reads", async () => {
  const program = "/usr/bin/sg_decode_sense";
  if (!await Deno.stat(program).then(() => true, () => false)) {
    return console.log("skipped: no sg_decode_sense (sg3-utils)");
  }
  const shapes = [
    (key: number, code: number, qualifier: number) => toHex(fixed(key, code, qualifier)),
  ];
  shapes.push((key, code, qualifier) =>
    `72${toHex(new Uint8Array([key, code, qualifier, 0, 0, 0, 0]))}`
  );
  const names = ["No Sense", "Recovered Error", "Not Ready", "Medium Error", "Hardware Error"];
  names.push("Illegal Request", "Unit Attention", "Data Protect");
  for (
    const [key, code, qualifier] of [[6, 0x2a, 5], [5, 0x24, 0], [2, 4, 0x0a], [
      3,
      0x11,
      0,
    ]] as const
  ) {
    for (const shape of shapes) {
      const bytes = shape(key, code, qualifier);
      const { stdout, stderr } = await new Deno.Command(program, { args: ["-n", bytes] }).output();
      const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      const sense = decodeSense(fromHex(bytes) ?? assert.fail());
      assert.deepEqual([sense?.key, sense?.code, sense?.qualifier], [key, code, qualifier]);
      assert.ok(text.includes(names[key] ?? ""), text);
    }
  }
});
