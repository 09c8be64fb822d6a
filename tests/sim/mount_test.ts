/** Mounts of a simulated cluster: real nodes with their drivers, a small kernel on each host. */
import assert from "node:assert/strict";
import { decodeText, encodeText } from "../../mod/base/bytes.ts";
import type { FuseFailure } from "../../mod/host/ports.ts";
import { SimCluster, type SimNode } from "../../mod/sim/cluster.ts";
import { HostFuse, SimFuse } from "../../mod/sim/fuse.ts";
import { SimProgram } from "../../mod/sim/fuse_program.ts";
import type { Done, Outcome } from "../../mod/sim/fuse_walk.ts";

const TARGET = "/etc/pve";

class Mounts {
  readonly cluster: SimCluster;
  readonly hosts: readonly HostFuse[];
  readonly lost: string[] = [];

  constructor(nodes: number) {
    const nothing = () => {};
    this.cluster = new SimCluster(1, {
      shape: { nodes, witness: false, profile: "fast" },
      options: {},
      events: { onFact: nothing, onSaying: nothing, onLife: nothing },
    });
    this.cluster.bootAll();
    this.hosts = this.cluster.nodes.map(() => new HostFuse());
    this.until(() => this.cluster.nodes.some((node) => this.view(node)?.role === "leader"));
  }

  view(node: SimNode) {
    return node.runtime?.node.config.view();
  }

  until(wanted: () => boolean): void {
    const end = this.cluster.world.now + 60_000;
    while (!wanted()) {
      assert.ok(this.cluster.world.next() <= end, "it comes to that");
      this.cluster.world.step();
    }
  }

  /** Mounts on a host; why not, or null. */
  mount(at: number): FuseFailure | null {
    const { world } = this.cluster;
    const host = this.hosts[at] ?? assert.fail();
    const results: (FuseFailure | null)[] = [];
    const fuse = new SimFuse(host, (run) => world.after(0.01, run));
    const options = { target: TARGET, source: "pentad" };
    const onLost = (why: string) => this.lost.push(why);
    this.runtime(at).mount({ fuse, options, onLost }, (failure) => results.push(failure));
    this.until(() => results.length > 0);
    return results[0] ?? null;
  }

  runtime(at: number) {
    return this.cluster.node(at).runtime ?? assert.fail();
  }

  /** Lets the world go on until a program's call has ended. */
  run<T>(at: number, begin: (program: SimProgram, done: Done<T>) => void): Outcome<T> {
    const kernel = this.hosts[at]?.kernel(TARGET) ?? assert.fail();
    const outcomes: Outcome<T>[] = [];
    begin(new SimProgram(kernel, { uid: 0, gid: 0, pid: 5 }), (outcome) => outcomes.push(outcome));
    this.until(() => outcomes.length > 0);
    return outcomes[0] ?? assert.fail();
  }

  cat(at: number, path: string): string | null {
    const read = this.run<Uint8Array>(at, (program, done) => program.readFile(path, done));
    return read.ok ? decodeText(read.value) : read.errno;
  }
}

Deno.test("NodeRuntime.mount(): what is written on one host is read on the others", () => {
  const mounts = new Mounts(3);
  for (const at of [0, 1, 2]) assert.equal(mounts.mount(at), null);
  const text = encodeText("exec: web\n\tcommand true\n");
  assert.ok(mounts.run<unknown>(0, (program, done) => program.mkdir("ha", done)).ok);
  const put = mounts.run<null>(0, (program, done) => {
    program.writeFile("ha/resources.cfg", text, done);
  });
  assert.ok(put.ok);
  for (const at of [1, 2]) mounts.until(() => mounts.cat(at, "ha/resources.cfg") !== "ENOENT");
  assert.equal(mounts.cat(2, "ha/resources.cfg"), decodeText(text));
  const members = JSON.parse(mounts.cat(1, ".members") ?? "");
  const online = Object.values(members.nodelist).map((each) => (each as { online: number }).online);
  assert.deepEqual([members.cluster.quorate, online], [1, [1, 1, 1]]);
});

Deno.test("NodeRuntime.unmount() lets programs end, and the node goes on without a mount", () => {
  const mounts = new Mounts(3);
  assert.equal(mounts.mount(0), null);
  assert.ok(
    mounts.run<null>(0, (program, done) => program.writeFile("f", encodeText("x"), done)).ok,
  );
  let unmounted = false;
  mounts.runtime(0).unmount(() => unmounted = true);
  mounts.until(() => unmounted);
  assert.deepEqual([mounts.hosts[0]?.targets(), mounts.lost], [[], []]);
  assert.equal(mounts.mount(0), null, "and may mount again");
  assert.equal(mounts.cat(0, "f"), "x");
  mounts.runtime(0).unmount(() => unmounted = false);
  mounts.until(() => !unmounted);
  mounts.runtime(0).unmount(() => unmounted = true);
  assert.ok(unmounted, "where nothing is mounted it is over at once");
});

Deno.test("NodeRuntime.mount() tells why not, and stop() leaves nothing mounted", () => {
  const mounts = new Mounts(3);
  mounts.hosts[0]?.occupy(TARGET, "pmxcfs");
  assert.equal(mounts.mount(0)?.failure, "occupied");
  assert.equal(mounts.mount(1), null);
  mounts.runtime(1).stop();
  assert.deepEqual(mounts.hosts[1]?.targets(), []);
});
