/** Which disks may be the witness, and in how many steps they become it. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { planWitness, type WitnessSituation } from "../../mod/daemon/witness_plan.ts";
import type { StorageView } from "../../mod/storage/mod.ts";
import { specOf } from "../config/cluster.ts";

type Disk = StorageView["disks"][number];

const [A, B, C, D] = ["a", "b", "c", "d"].map((each) => each.repeat(32)) as [
  string,
  string,
  string,
  string,
];

function disk(uuid: string, more: Partial<Disk> = {}): Disk {
  return {
    ...{ path: `/dev/${uuid[0]}`, uuid, kind: "scsi", role: "data", state: "ready", detail: "" },
    ...{ group: [], heard: [{ node: nodeId(2), ageMs: 100 }], reservation: null },
    test: { verdict: "fences", steps: [], ageMs: 0, former: false },
    ...more,
  };
}

/** A pair, both there, with these disks. */
function pair(disks: readonly Disk[], more: Partial<WitnessSituation> = {}): WitnessSituation {
  const rest = {
    degraded: [],
    witnessHeld: false,
    pulses: [],
    verdict: "",
    words: "none",
  } as const;
  return {
    ...{ spec: specOf(2, false), self: nodeId(1), view: { disks, ...rest } },
    ...{ online: new Set([nodeId(2)]), writable: true, deadMs: 1000 },
    ...more,
  };
}

function withWitness(nodes: number, uuid: string) {
  return { spec: { ...specOf(nodes, true), witness: { disk: uuid } } };
}

function refused(situation: WitnessSituation, names: readonly string[]): string {
  try {
    planWitness(situation, names);
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    return `${error.problem.code}: ${error.problem.why}`;
  }
  return assert.fail("it was not refused");
}

Deno.test("planWitness() gives, takes away, and of a pair replaces in two steps", () => {
  const disks = [disk(A), disk(B)];
  assert.deepEqual(planWitness(pair(disks), ["/dev/a"]), { steps: [A], warnings: [] });
  assert.deepEqual(planWitness(pair(disks), [B]).steps, [B], "a disk is named by its uuid too");
  assert.deepEqual(planWitness(pair(disks, withWitness(2, A)), ["/dev/b"]).steps, [null, B]);
  assert.deepEqual(planWitness(pair(disks, withWitness(2, A)), ["/dev/a"]).steps, [], "it is so");
  assert.deepEqual(planWitness(pair(disks), []).steps, []);
  const { steps, warnings } = planWitness(pair(disks, withWitness(2, A)), []);
  assert.deepEqual(steps, [null]);
  assert.match(warnings[0] ?? "", /neither of the two goes on while the other one is silent/);
});

Deno.test("planWitness() changes at once what has no vote, and says so", () => {
  const heard = [2, 3].map((id) => ({ node: nodeId(id), ageMs: 0 }));
  const disks = [disk(A, { heard }), disk(B, { heard })];
  const { steps, warnings } = planWitness(pair(disks, withWitness(3, A)), ["/dev/b"]);
  assert.deepEqual(steps, [B]);
  assert.match(warnings[0] ?? "", /votes between two voters only/);
  const alone = pair([disk(A, { heard: [] })], { ...withWitness(1, B), online: new Set() });
  assert.deepEqual(planWitness(alone, [A]).steps, [A]);
});

Deno.test("planWitness() takes disks together that were labelled together, and only those", () => {
  const group = [A, B, C];
  const disks = [...group.map((uuid) => disk(uuid, { group })), disk(D)];
  for (const names of [["/dev/b"], ["/dev/b", "/dev/a", "/dev/c"], [B, B]]) {
    assert.deepEqual(planWitness(pair(disks), names).steps, [B], names.join());
  }
  for (const names of [["/dev/a", "/dev/b"], ["/dev/a", "/dev/d"], ["/dev/d", "/dev/a"]]) {
    const why = refused(pair(disks), names);
    assert.match(why, /^storage\.witness-unfit: .* were not labelled together/, names.join());
  }
  const short = refused(pair(disks.slice(0, 2)), ["/dev/a"]);
  assert.match(
    short,
    /^storage\.witness-unfit: c{32}, which judges with it, is not a disk of this/,
  );
  const lost = [...disks.slice(0, 2), disk(C, { group, state: "lost", detail: "io" })];
  assert.match(refused(pair(lost), ["/dev/a"]), /"\/dev\/c" is lost: io/);
});

Deno.test("planWitness() refuses a disk that cannot be the witness, and says why", () => {
  const cases: readonly (readonly [Partial<Disk>, RegExp])[] = [
    [
      { state: "lost", uuid: null, detail: "it has no label of pentad: blank" },
      /"\/dev\/a" is lost: it has no label of pentad/,
    ],
    [{ state: "unregistered", detail: "taken away" }, /is unregistered: taken away/],
    [{ heard: [] }, /node2 was not seen on "\/dev\/a": it must be among "disks" of its settings/],
    [{ heard: [{ node: nodeId(2), ageMs: 1001 }] }, /node2 was last seen 1001 ms ago on/],
    [{ heard: [{ node: nodeId(3), ageMs: 0 }] }, /node2 was not seen/],
    [
      { test: { verdict: "cannot-fence", steps: [], ageMs: 0, former: true } },
      /takes the writes of who is not registered/,
    ],
  ];
  for (const [more, why] of cases) {
    const said = refused(pair([disk(A, more)]), ["/dev/a"]);
    assert.match(said, /^storage\.witness-unfit: /);
    assert.match(said, why);
  }
  assert.match(refused(pair([disk(A)]), ["/dev/x"]), /^settings\.invalid: "\/dev\/x" is not among/);
  const { warnings } = planWitness(pair([disk(A, { test: null })]), ["/dev/a"]);
  assert.match(warnings[0] ?? "", /was not seen to fence yet/);
});

Deno.test("planWitness() refuses what the cluster could not commit", () => {
  const silent = pair([disk(A)], { online: new Set() });
  assert.match(refused(silent, ["/dev/a"]), /^config\.unsafe-membership: node2 is silent/);
  const taken = pair([disk(A)], { ...withWitness(2, A), online: new Set() });
  assert.match(refused(taken, []), /^config\.unsafe-membership: node2 is silent/);
  const frozen = pair([disk(A)], { writable: false });
  assert.match(refused(frozen, ["/dev/a"]), /^config\.no-quorum: /);
});
