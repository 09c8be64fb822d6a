/**
 * Members are changed, and the network is cut so that some know of it and some do not. Whoever goes
 * on, goes on alone.
 */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { Admin } from "../../mod/sim/admin.ts";
import { Checks } from "../../mod/sim/checks.ts";
import { CALM } from "../../mod/sim/options.ts";
import { memberAt, SHARED_DISK, SimCluster, type SimNode } from "../../mod/sim/cluster.ts";

const WEB = resourceId("exec:web");
const GUARD_MS = 3000;
const PROOF_MS = 12_000;

/** A cluster whose members change, with one resource. */
class Stage {
  readonly cluster: SimCluster;
  readonly checks: Checks;
  readonly admin: Admin;

  constructor(seed: number, shape: { nodes: number; witness: boolean; spares: number }) {
    const { nodes, witness, spares } = shape;
    this.cluster = new SimCluster(seed, {
      shape: { nodes, witness, profile: "fast" },
      options: CALM,
      spares,
      events: {
        onFact: (node, fact) => this.checks.onFact(node, fact),
        onSaying: () => {},
        onLife: () => {},
      },
    });
    this.checks = new Checks(this.cluster);
    this.admin = new Admin(this.cluster);
    this.cluster.bootAll();
    this.pass(4000);
    this.admin.set(WEB, {});
    this.admin.apply();
    this.pass(2000);
  }

  get leader(): SimNode {
    const found = this.cluster.all.find(({ runtime }) =>
      runtime?.node.config.view().role === "leader"
    );
    assert.ok(found, "somebody leads");
    return found;
  }

  pass(ms: number): void {
    this.cluster.world.runUntil(this.cluster.world.now + ms);
  }

  moveTo({ name }: SimNode): void {
    this.admin.order(`migrate ${WEB} ${name}`);
    this.pass(2000);
    assert.deepEqual(this.runsOn(), [name]);
  }

  runsOn(): string[] {
    const hosts = this.cluster.site.plant.running().get(WEB) ?? [];
    return [...hosts].map((host) => this.cluster.node(host).name);
  }

  /** The spare host is to be a member; `until` is looked at all the time. */
  join(spare: SimNode, until: () => boolean): void {
    const at = this.cluster.all.indexOf(spare);
    const { links, peer } = memberAt(at);
    const { leader } = this;
    const change = { change: "add-learner", name: spare.name, links, peer } as const;
    leader.runtime?.request({ request: "config.change-spec", tag: spare.name, change });
    this.passUntil(until, () => {
      const spec = leader.runtime?.spec;
      const id = spec?.members.find(({ name }) => name === spare.name)?.id;
      if (spec !== undefined && id !== undefined && spare.spec === null) {
        this.cluster.admit(spare, id, spec);
      }
    });
  }

  passUntil(until: () => boolean, look = () => {}): void {
    for (let turns = 0; !until(); turns++) {
      assert.ok(turns < 20_000, "it comes about");
      this.pass(0.2);
      look();
    }
  }

  part(...groups: readonly SimNode[][]): void {
    const places = groups.map((group) => group.map((node) => this.cluster.all.indexOf(node)));
    this.cluster.site.network.partition(places);
  }
}

function votes(at: SimNode, of: SimNode): boolean {
  const member = at.runtime?.spec.members.find(({ name }) => name === of.name);
  return member?.role === "voter";
}

for (const seed of [1, 2, 3]) {
  Deno.test(`a third votes in place of the witness, and who does not know has the disk: ${seed}`, () => {
    const stage = new Stage(seed, { nodes: 2, witness: true, spares: 1 });
    const { cluster, leader } = stage;
    const blind = cluster.nodes.find((node) => node !== leader);
    const [third] = cluster.spares;
    assert.ok(blind && third);
    stage.moveTo(blind);
    stage.join(third, () => votes(leader, third) && !votes(blind, third));
    stage.part([leader, third], [blind]);
    for (const node of [leader, third]) {
      cluster.site.disks.setPath(cluster.all.indexOf(node), SHARED_DISK, "hung");
    }
    stage.pass(GUARD_MS);
    assert.deepEqual(stage.runsOn(), [], "its log says that others may go on without it");
    // A life that was not there when the description changed.
    leader.host.crashDaemon();
    stage.pass(PROOF_MS);
    assert.deepEqual(stage.checks.violations, []);
    assert.deepEqual(stage.runsOn(), [leader.name], "and so they do");
  });
}

Deno.test("three become five while one does not hear the leader: by the votes of before it goes on no more", () => {
  const stage = new Stage(1, { nodes: 3, witness: false, spares: 2 });
  const { cluster, leader } = stage;
  const [friend, behind] = cluster.nodes.filter((node) => node !== leader);
  assert.ok(friend && behind);
  stage.moveTo(behind);
  const deaf = (other: SimNode) => {
    const [from, to] = [other, behind].map((node) => cluster.all.indexOf(node)) as [number, number];
    cluster.site.network.cut({ from, to });
    cluster.site.network.cut({ from: to, to: from });
  };
  deaf(leader);
  stage.pass(1000);
  for (const spare of cluster.spares) {
    stage.join(spare, () => votes(leader, spare) && votes(friend, spare));
    stage.pass(3000);
    deaf(spare);
  }
  assert.equal(behind.runtime?.spec.members.length, 3, "it knows of nobody new");
  stage.part([friend, behind], [leader, ...cluster.spares]);
  stage.pass(PROOF_MS);
  assert.deepEqual(stage.checks.violations, []);
  const owner = cluster.all.find(({ name }) => name === stage.runsOn()[0]);
  assert.ok(owner && owner !== behind && owner !== friend);
});

Deno.test("a lone node gets a second one and a witness, and that one dies just then: it goes on", () => {
  const stage = new Stage(1, { nodes: 1, witness: true, spares: 1 });
  const { cluster, leader } = stage;
  const [second] = cluster.spares;
  assert.ok(second);
  const learns = () =>
    leader.runtime?.node.config.view().peers.some(({ node }) => node === second.id) === true;
  stage.join(second, () => second.spec !== null && learns());
  const before = leader.runtime?.node.config.view().lastIndex ?? 0;
  // The change stands in the log of the one and nowhere else.
  stage.passUntil(() => (leader.runtime?.node.config.view().lastIndex ?? 0) > before);
  second.host.powerCut(null);
  assert.ok(!votes(leader, second));
  stage.pass(PROOF_MS);
  assert.ok(!votes(leader, second), "it cannot be committed");
  assert.deepEqual(stage.runsOn(), [leader.name]);
  assert.deepEqual(stage.checks.violations, []);
});
