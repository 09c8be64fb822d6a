/** What a host says of its membership while its node does not run. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { Belonging } from "../../mod/daemon/belonging.ts";
import { retireIdentity, writeIdentity } from "../../mod/daemon/state.ts";
import { specOf } from "../config/cluster.ts";

Deno.test("a member is no stranger before its node has begun, nor after it has stopped", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-belonging-" });
  try {
    const stranger = new Belonging(folder);
    assert.equal(stranger.cluster, null);
    assert.equal(stranger.absence("nodeA").problem.code, "join.not-a-member");

    const spec = specOf(1, false);
    writeIdentity(folder, { node: nodeId(1), clusterKey: new Uint8Array(32), spec });
    const member = new Belonging(folder);
    assert.equal(member.cluster?.id, spec.id);
    assert.equal(member.absence("nodeA").problem.code, "node.starting");
    member.stops({ ...spec, profile: "fast" });
    assert.deepEqual(member.cluster, { name: spec.name, id: spec.id, profile: "fast" });
    assert.equal(member.absence("nodeA").problem.code, "node.stopped");
    retireIdentity(folder, "1");
    member.ends();
    assert.equal(member.cluster, null);
    assert.equal(member.absence("nodeA").problem.code, "join.not-a-member");

    // What cannot be read is for the start to refuse.
    Deno.writeTextFileSync(`${folder}/node.json`, "{");
    assert.equal(new Belonging(folder).cluster, null);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
