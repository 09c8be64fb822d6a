/** The bill of materials: what of the lock is in it, and what it refuses to invent. */
import assert from "node:assert/strict";
import { billOfMaterials, packageOf } from "../../scripts/build/bom.ts";

const lock = {
  npm: {
    "@scope/a_b@1.2.3_c@4.0.0-rc.1": { integrity: "sha512-AAEC", dependencies: ["c"] },
    "c@4.0.0-rc.1": { integrity: "sha512-/w==" },
    "only-tests@1.0.0": { integrity: "sha512-AA==", dependencies: ["gone@2.0.0"] },
    "weak@1.0.0": { integrity: "sha1-AA==" },
  },
};
const built = {
  ...{
    name: "p",
    version: "0.1.0",
    license: "Apache-2.0",
    denoVersion: "2.0.0",
    digest: "ab",
    lock,
  },
};

Deno.test("what is in the file is in the bill, with hashes, licences and who needs whom", () => {
  const packages = new Map([["c@4.0.0-rc.1", "MIT"], ["@scope/a_b@1.2.3_c@4.0.0-rc.1", "SEE IT"]]);
  const text = billOfMaterials({ ...built, packages });
  // The order in which they were found does not matter.
  assert.equal(billOfMaterials({ ...built, packages: new Map([...packages].reverse()) }), text);
  const bill = JSON.parse(text);
  assert.deepEqual([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.6"]);
  const [, scoped, c] = bill.components;
  assert.equal(scoped.purl, "pkg:npm/%40scope/a_b@1.2.3");
  assert.deepEqual(scoped.licenses, [{ license: { name: "SEE IT" } }]);
  assert.deepEqual(scoped.hashes, [{ alg: "SHA-512", content: "000102" }]);
  assert.deepEqual(c.hashes, [{ alg: "SHA-512", content: "ff" }]);
  const needs = bill.dependencies.find(({ ref }: { ref: string }) => ref === scoped.purl);
  assert.deepEqual(needs.dependsOn, [c.purl]);
  assert.ok(!text.includes("only-tests"));
});

Deno.test("what the lock does not know is not made up", () => {
  for (const key of ["c@9.9.9", "weak@1.0.0", "only-tests@1.0.0"]) {
    assert.throws(() => billOfMaterials({ ...built, packages: new Map([[key, "MIT"]]) }), key);
  }
  assert.deepEqual(packageOf("@scope/a_b@1.2.3_c@4.0.0-rc.1"), {
    name: "@scope/a_b",
    version: "1.2.3",
  });
  assert.throws(() => packageOf("nameless"));
});
